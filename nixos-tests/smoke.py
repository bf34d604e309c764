# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The guest is what the other scenarios take it for.
machine.wait_for_unit("multi-user.target")

with subtest("the shell gives output and status"):
    assert machine.succeed("echo hello; uname -s") == "hello\nLinux\n"
    assert machine.execute("exit 7") == (7, "")
    machine.fail("false | true")
    assert machine.execute("sleep 9", timeout=1)[0] == 124
