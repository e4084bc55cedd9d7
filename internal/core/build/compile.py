"""Compile a source tree for Sunya.

usage: compile.py ROOT CHECKS [ENTRY...]

Writes __pycache__ folders whose files are never compared with their source:
the tree is read-only from here on. A file that does not compile is named; if
it is one of the ENTRY files the exit status is 65.
"""
import os
import py_compile
import sys

SKIP = {"__pycache__", ".git", "node_modules", "venv", ".venv"}
MODE = py_compile.PycInvalidationMode.UNCHECKED_HASH


def describe(rel, exc):
    """One line with place and reason, then the text and the caret."""
    if not isinstance(exc, SyntaxError):
        return ["%s: %s: %s" % (rel, type(exc).__name__, exc)]
    out = ["%s:%s: %s: %s" % (rel, exc.lineno or 0, type(exc).__name__, exc.msg)]
    if exc.text:
        text = exc.text.rstrip("\n").expandtabs(1)
        cut = len(text) - len(text.lstrip())
        out.append("    " + text[cut:])
        if exc.offset:
            out.append("    " + " " * max(exc.offset - 1 - cut, 0) + "^")
    return out


def compile_file(path):
    try:
        py_compile.compile(path, doraise=True, invalidation_mode=MODE)
    except py_compile.PyCompileError as exc:
        return exc.exc_value
    except (ValueError, RecursionError, MemoryError, OverflowError) as exc:
        return exc
    return None


def missing_imports(root, entry):
    """Yield (line, module) for imports that nothing in this image provides."""
    import ast

    known = getattr(sys, "stdlib_module_names", None)
    if known is None:
        return
    with open(os.path.join(root, entry), "rb") as f:
        tree = ast.parse(f.read())
    for node in tree.body:
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        else:
            continue
        for name in names:
            top = name.split(".")[0]
            here = os.path.join(root, top)
            if top not in known and top != "gunicorn" and not os.path.exists(here + ".py") and not os.path.isdir(here):
                yield node.lineno, top


def main():
    root, checks, entries = sys.argv[1], sys.argv[2], sys.argv[3:]
    status = 0
    for top, dirs, files in os.walk(root):
        dirs[:] = sorted(d for d in dirs if d not in SKIP)
        for name in sorted(files):
            path = os.path.join(top, name)
            rel = os.path.relpath(path, root)
            if not name.endswith(".py") or os.path.islink(path):
                continue
            exc = compile_file(path)
            if exc is None:
                continue
            lines = describe(rel, exc)
            if rel in entries:
                status = 65
                lines[0] = "error: " + lines[0]
            else:
                lines[0] = "not compiled: " + lines[0]
            print("\n".join(lines))
    if checks == "imports" and not status:
        for entry in entries:
            for line, module in missing_imports(root, entry):
                print("error: %s:%d imports %s, and the source has no requirements.txt that names it" % (entry, line, module))
                status = 65
    return status


sys.exit(main())
