"""A RabbitMQ of its own: own ports, node name, epmd, home and data directory."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.process import end, free_ports, wait_until
from benchmarks.procfs import process_name, process_tree
from benchmarks.task import Endpoint

HOST = "127.0.0.1"
DEBIAN_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 30
STARTED = "completed with"
STREAM_PLUGIN = "rabbitmq_stream"
INSTALL = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "rabbitmq-server"]


def server_command() -> Path:
    """The server's start script; installs Debian's package when it is missing and we may."""
    if not DEBIAN_SERVER.exists() and not shutil.which("rabbitmq-server"):
        install()
    # Debian's wrapper on the PATH changes to another user; the script behind it does not.
    found = DEBIAN_SERVER if DEBIAN_SERVER.exists() else shutil.which("rabbitmq-server")
    if not found:
        raise BenchmarkError("rabbitmq-server is missing; install it, or leave its rows out")
    return Path(found)


def install() -> None:
    """Install Debian's package without starting its service."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BenchmarkError("rabbitmq-server is missing; run: apt-get install rabbitmq-server")
    # In run level 1 the package's scripts do not start the service.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    subprocess.run(["apt-get", "update", "--quiet"], env=environment, stdout=2, check=False)
    if subprocess.run(INSTALL, env=environment, stdout=2, check=False).returncode:
        raise BenchmarkError("apt-get could not install rabbitmq-server; its output is above")


def server_version() -> str:
    """The version of the installed server, from the name of its library directory."""
    script = server_command().resolve()
    for parent in script.parents:
        for folder in parent.glob("lib/rabbitmq_server-*"):
            return folder.name.partition("-")[2]
    return "unknown"


class RabbitmqServer:
    """One running server; everything it writes is in `directory`."""

    def __init__(self, directory: Path, *, stream: bool, wrapper: Sequence[str] = ()) -> None:
        script = server_command()
        self._directory = directory
        amqp, self._distribution, self._epmd_port, stream_port = free_ports(4)
        self.endpoint: Endpoint = {"host": HOST, "amqp_port": amqp, "stream_port": stream_port}
        self._configure(stream=stream)
        environment = self._environment()
        # epmd would go on as a daemon if RabbitMQ started it.
        self._epmd = subprocess.Popen(
            ["epmd", "-address", HOST, "-port", str(self._epmd_port)], env=environment, text=True
        )
        self._log = directory / "output"
        with self._log.open("w") as output:
            self._process = subprocess.Popen(
                [*wrapper, str(script)], env=environment, stdout=output, stderr=output, text=True
            )
        self.pid = self._process.pid
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, then its epmd."""
        for pid in process_tree(self._process.pid):
            if process_name(pid) == "beam.smp":
                os.kill(pid, signal.SIGTERM)
                break
        else:
            self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            for pid in reversed(process_tree(self._process.pid)):
                os.kill(pid, signal.SIGKILL)
            self._process.wait()
        end(self._epmd)

    def _configure(self, *, stream: bool) -> None:
        plugins = STREAM_PLUGIN if stream else ""
        (self._directory / "home").mkdir()
        (self._directory / "enabled_plugins").write_text(f"[{plugins}].\n")
        port = self.endpoint["stream_port"]
        lines = [
            f"stream.listeners.tcp.1 = {HOST}:{port}",
            f"stream.advertised_host = {HOST}",
            f"stream.advertised_port = {port}",
        ]
        (self._directory / "rabbitmq.conf").write_text("\n".join(lines if stream else []) + "\n")

    def _environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RABBITMQ_")}
        return {
            **inherited,
            "HOME": str(self._directory / "home"),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"benchmark-{os.getpid()}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.endpoint["amqp_port"]),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self._directory / "data"),
            "RABBITMQ_LOG_BASE": str(self._directory / "log"),
            "RABBITMQ_PID_FILE": str(self._directory / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(self._directory / "no-environment-file"),
            "RABBITMQ_CONFIG_FILE": str(self._directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._directory / "enabled_plugins"),
        }

    def _wait(self) -> None:
        def started() -> bool:
            return STARTED in self._log.read_text(errors="replace")

        try:
            wait_until(started, self._process, "starting RabbitMQ", START_TIMEOUT_S)
        except BenchmarkError as error:
            tail = self._log.read_text(errors="replace")[-2000:]
            raise BenchmarkError(f"{error}; its last output:\n{tail}") from None
