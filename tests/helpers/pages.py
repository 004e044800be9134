"""Commands of a page of the documentation, with what the page says that they print.

A console block has lines `$ command`, continued after a backslash, each with lines of its output
below it. `...` stands for any text. `(exit 4)` is the exit code where it is not 0. A yaml block
whose first line is `# NAME` is a file.
"""

import re
import subprocess
from dataclasses import dataclass, field

BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXIT = re.compile(r"\(exit (\d+)\)")
NAMED = re.compile(r"# (\S+\.yaml)\n")


@dataclass
class Command:
    """A command of a page."""

    text: str
    printed: list[str] = field(default_factory=list)
    """What the page says that it prints; it may print more."""
    code: int = 0


def commands(page):
    """The commands of a page in their order; a file of the page is one that writes it."""
    found = list[Command]()
    for kind, block in BLOCK.findall(page):
        if kind == "yaml":
            if named := NAMED.match(block):
                found.append(Command(f"cat > {named[1]} << 'END'\n{block}END"))
            continue
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            if line.startswith("$ "):
                found.append(Command(line.removeprefix("$ ")))
            elif exits := EXIT.fullmatch(line):
                found[-1].code = int(exits[1])
            else:
                found[-1].printed.append(line)
    return found


def carry_out(listed, folder, environment, patience):
    """Run commands in one shell until one ends with another code than the page says: its output.

    What each of them printed, stderr too, in their order; the last one's code follows it.
    """
    lines = ["exec 2>&1"]
    for command in listed:
        lines += [f"{{ {command.text}", "}", "code=$?", 'printf "\\n@@@ %d\\n" $code']
        lines.append(f"[ $code = {command.code} ] || exit 1")
    (folder / "commands.sh").write_text("\n".join(lines) + "\n")
    shell = ["bash", "--noprofile", "--norc", "commands.sh"]
    with open(folder / "output.txt", "w+") as output:
        subprocess.run(
            shell,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            timeout=patience,
            check=False,
        )
        output.seek(0)
        return re.findall(r"(.*?)\n@@@ (\d+)\n", output.read(), re.DOTALL)


def check(listed, folder, environment, patience):
    """Run commands in one shell: each prints what its page says, and ends as it says."""
    outputs = carry_out(listed, folder, environment, patience)
    for command, (output, code) in zip(listed, outputs, strict=False):
        line = missing(command.printed, output)
        assert int(code) == command.code and line is None, (command.text, line, output)
    assert len(outputs) == len(listed), listed[len(outputs)].text


def missing(printed, output):
    """The first line that a page says which a command did not print, in the page's order; None if
    all are there."""
    rest = iter(output.splitlines())
    for line in printed:
        pattern = re.compile(".*".join(map(re.escape, line.split("..."))))
        if not any(pattern.fullmatch(other) for other in rest):
            return line
    return None
