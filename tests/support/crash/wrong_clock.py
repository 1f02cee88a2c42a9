"""Processes whose wall clock is wrong by as much as a test says, at any time."""

import shutil
import struct
from pathlib import Path

from tests.support.crash.powered_disk import run_tool

_CODE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static const volatile long long *seconds;

__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("WRONG_CLOCK"), O_RDONLY | O_CLOEXEC);
    void *page = mmap(0, sizeof *seconds, PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) abort();
    seconds = page;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME && seconds) now->tv_sec += *seconds;
    return result;
}
"""


def missing() -> str:
    """Why this cannot be done here; empty if it can."""
    if shutil.which("cc") is None:
        return "a wrong clock needs cc (a C compiler)"
    return ""


class WrongClock:
    """Made in ``directory``. ``environment`` is for the processes that are to have it."""

    def __init__(self, directory: Path) -> None:
        code, library = directory / "clock.c", directory / "clock.so"
        code.write_text(_CODE)
        run_tool("cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(code), "-ldl")
        self._file = directory / "seconds"
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(self._file)}

    def set(self, seconds: int) -> None:
        """The clock is ahead by so much from now on; behind, if it is negative."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))
