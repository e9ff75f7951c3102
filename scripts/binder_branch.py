"""Write the branch that a Binder is made of: the checkout as it is in git, and the wheel made from it.

    python scripts/binder_branch.py     moves the branch ``on-binder``; push it, and open it with
                                        ``urlpath=lab/tree/binder/demo.ipynb``

Git keeps nothing that is built, and a Binder begins with what git has. So that it needs neither Node
nor a compiler, the wheel goes into a commit of its own, on top of the one that it was made from.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Not `binder`: that is the name of a folder, and git would ask which of the two is meant.
BRANCH = "on-binder"


class BranchError(Exception):
    """A reason why the branch could not be written, in one line."""


def git(*words: str, index: Path | None = None) -> str:
    """Return what git says, with an index of one's own where one is given."""
    own = {} if index is None else {"GIT_INDEX_FILE": str(index)}
    done = subprocess.run(
        ["git", *words],  # noqa: S607 - whichever git the person has
        cwd=ROOT,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        msg = f"git {words[0]} failed: {done.stderr.strip()}"
        raise BranchError(msg)
    return done.stdout.strip()


def make_wheel(folder: Path) -> Path:
    """Make the wheel of the checkout, with the build packages of this environment."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        msg = f"the wheel could not be made: {done.stderr.strip() or done.stdout.strip()}"
        raise BranchError(msg)
    (wheel,) = folder.glob("*.whl")
    return wheel


def tree_with_wheel() -> str:
    """Return git's name of a tree: the working tree with what is not committed yet, and the wheel in ``binder/``."""
    with tempfile.TemporaryDirectory() as made:
        wheel = make_wheel(Path(made))
        index = Path(made) / "index"
        git("read-tree", "HEAD", index=index)
        git("add", "--all", index=index)
        blob = git("hash-object", "-w", str(wheel))
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},binder/{wheel.name}", index=index)
        return git("write-tree", index=index)


def commit_with_wheel() -> str:
    """Return git's name of a commit, on top of the present one, that has the wheel of it."""
    if git("status", "--porcelain"):
        msg = "there are changes that are not committed: the branch is made from a commit"
        raise BranchError(msg)
    head = git("rev-parse", "HEAD")
    message = f"The wheel of {head[:12]}, for a Binder that builds nothing"
    return git("commit-tree", tree_with_wheel(), "-p", head, "-m", message)


def main() -> int:
    """Move the branch, or say in one line why not."""
    try:
        commit = commit_with_wheel()
        git("branch", "--force", BRANCH, commit)
    except BranchError as error:
        print(f"tfmagic: {error}", file=sys.stderr)
        return 1
    print(f"tfmagic: the branch {BRANCH} is now {commit[:12]}, this commit with its wheel; to publish it:")
    print(f"tfmagic: git push --force origin {BRANCH}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
