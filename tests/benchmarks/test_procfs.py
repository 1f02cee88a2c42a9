import os
import subprocess
import sys

from benchmarks.procfs import machine_busy_s, process_name, process_tree, usage

CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
GRANDCHILD = "import sys; memory = bytearray(50_000_000); print('up', flush=True); sys.stdin.read()"


def test_usage_counts_a_whole_tree_of_processes() -> None:
    command = [sys.executable, "-c", CHILD, GRANDCHILD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"up\n"
        tree = process_tree(child.pid)
        used = usage(child.pid)
    assert len(tree) == 2
    assert tree[0] == child.pid
    assert used.peak_memory_bytes > 50_000_000
    assert 0 < used.cpu_s <= machine_busy_s()


def test_name_of_a_process() -> None:
    assert process_name(os.getpid())
    assert process_name(2**22 + 1) == ""
