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


def missing_function(root, entry, name):
    """Return what to say when a file does not have a function, else None."""
    import ast

    with open(os.path.join(root, entry), "rb") as f:
        tree = ast.parse(f.read())
    found, bound = [], set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names):
            return None
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append(node.name)
        elif isinstance(node, ast.If) and any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(node.test)):
            continue  # if __name__ == "__main__"
        elif not isinstance(node, (ast.Expr, ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.ClassDef)):
            return None  # it may be made in a way that is not seen here
        for sub in ast.walk(node):
            if isinstance(sub, ast.Name) and isinstance(sub.ctx, ast.Store):
                bound.add(sub.id)
            elif isinstance(sub, ast.alias):
                bound.add((sub.asname or sub.name).split(".")[0])
    if name in found or name in bound or any(isinstance(n, ast.ClassDef) and n.name == name for n in tree.body):
        return None
    there = ", ".join(found) if found else "none"
    return "function %s is not in %s; found: %s" % (name, entry, there)


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
    kind, _, name = checks.partition(":")
    if kind == "function" and not status:
        for entry in entries:
            text = missing_function(root, entry, name)
            if text:
                print("error: " + text)
                status = 65
    return status


sys.exit(main())
