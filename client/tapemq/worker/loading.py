"""Finds the application that a command line names."""

import os
import sys
import traceback
from importlib import import_module
from types import ModuleType

from tapemq.worker.app import App
from tapemq.worker.frames import own_part


class LoadError(Exception):
    """The application cannot be loaded; the text says why, and what to do."""


def load(target: str) -> App:
    """The App that ``MODULE:APP`` names, in the current directory or on the Python path.

    Raises LoadError.
    """
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise LoadError(f"{target!r} is not MODULE:APP, such as jobs:app for app in jobs.py")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    app = getattr(_module(module_name), name, None)
    if not isinstance(app, App):
        raise LoadError(_no_app(sys.modules[module_name], name, app))
    if not app.handlers:
        raise LoadError(f"{target} has no handlers; put @{name}.handler(...) on a function")
    return app


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise LoadError(_no_module(name, error.name)) from None
        raise LoadError(_broken(name, error)) from error
    except (Exception, SystemExit) as error:
        raise LoadError(_broken(name, error)) from error


def _no_module(name: str, missing: str) -> str:
    advice = ""
    if name.endswith(".py") or "/" in name:
        dotted = name.removesuffix(".py").strip("./").replace("/", ".")
        advice = f"; name a module, not a file: {dotted}"
    return f"there is no module {missing!r} in {os.getcwd()} or on the Python path{advice}"


def _broken(name: str, error: BaseException) -> str:
    lines = traceback.format_exception(*own_part(error))
    return f"module {name!r} fails when it is imported:\n{''.join(lines).rstrip()}"


def _no_app(module: ModuleType, name: str, found: object) -> str:
    apps = [known for known, value in vars(module).items() if isinstance(value, App)]
    advice = f"it has: {', '.join(apps)}" if apps else f"write there: {name} = tapemq.App()"
    if found is None:
        return f"module {module.__name__!r} has no {name!r}; {advice}"
    kind = type(found).__name__
    return f"{module.__name__}:{name} is a {kind}, and has to be a tapemq.App; {advice}"
