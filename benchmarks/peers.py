"""The peers' environment, `.bench/peers`, made on first use from benchmarks/peers.txt."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
REQUIREMENTS = Path(__file__).parent / "peers.txt"
ENVIRONMENT = ROOT / ".bench" / "peers"


def peers_python() -> Path:
    """Return the interpreter of the peers' environment, made first where missing or old."""
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / ".made-from"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        uv = _uv()
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(ENVIRONMENT)])
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
        _run([*install, "--requirement", str(REQUIREMENTS)])
        stamp.write_text(wanted)
    return python


def _uv() -> str:
    """Return the uv beside this interpreter, or the one on the path.

    Raises
    ------
    RuntimeError
        If there is none.
    """
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise RuntimeError("uv builds the peers' environment and is missing; run: pip install uv")
    return found


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-1000:]}")
