"""Brings a Python program to the point before its first socket, and waits there.

Started as: python THIS CONTROL KIND TARGET [ARGUMENT...]
KIND "script" runs a file, "module" what -m names, both as the real command line
would. CONTROL is the descriptor to report to and to wait on: one line out,
"ready" or "refused REASON"; then one line in, which a restored process reads:
a JSON object with its environment; then its process id out.

This file is Sunya's and runs in the sandbox as the program's user.
"""
import json
import os
import sys


class _Template:
    def __init__(self, control):
        self.control = control
        self.undo = []
        self.done = False

    def say(self, text):
        os.write(self.control, (text + "\n").encode("utf-8", "replace"))

    def refuse(self, reason):
        self.say("refused " + " ".join(str(reason).split()))
        os._exit(0)

    # -- where a program stops

    def patch(self, owner, name, wrapper):
        original = getattr(owner, name)
        own = name in vars(owner)
        setattr(owner, name, wrapper(original))

        def undo():
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)

        self.undo.append(undo)

    def before(self, original):
        """Stops before the first call of a function."""

        def stop(*args, **kwargs):
            self.wait()
            return original(*args, **kwargs)

        return stop

    def install(self):
        import socket

        # The class that all sockets of Python are of.
        self.patch(socket.socket, "__init__", self.before)
        self.hook_imports()

    def hook_imports(self):
        """Patches servers when they are imported, and not before."""
        hooks = {
            "asyncio.events": self.on_asyncio,
            "gunicorn.app.base": self.on_gunicorn,
            "uvicorn.server": self.on_uvicorn,
        }
        template = self

        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name not in hooks:
                    return None
                hook = hooks.pop(name)
                for finder in sys.meta_path:
                    if finder is Finder or not hasattr(finder, "find_spec"):
                        continue
                    spec = finder.find_spec(name, path, target)
                    if spec is None or spec.loader is None:
                        continue
                    template.run_after(spec.loader, hook)
                    return spec
                return None

        sys.meta_path.insert(0, Finder)
        self.undo.append(lambda: sys.meta_path.remove(Finder))

    def run_after(self, loader, hook):
        execute = loader.exec_module

        def exec_module(module):
            execute(module)
            hook(module)

        loader.exec_module = exec_module

    def on_asyncio(self, module):
        # An event loop opens descriptors before it has a socket.
        self.patch(module, "new_event_loop", self.before)
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None and hasattr(asyncio, "new_event_loop"):
            self.patch(asyncio, "new_event_loop", self.before)

    def on_gunicorn(self, module):
        # As --preload would: the application belongs to the template.
        def load_first(run):
            def wrapped(app, *args, **kwargs):
                if not self.done and not app.cfg.reload:
                    self.load_gunicorn(app)
                # The arbiter remembers its process id, so it comes later.
                self.wait()
                return run(app, *args, **kwargs)

            return wrapped

        self.patch(module.BaseApplication, "run", load_first)

    def load_gunicorn(self, app):
        """Loads what the arbiter would, in its order: a worker may patch the
        standard library before the application sees it."""
        app.cfg.logger_class
        app.cfg.worker_class
        self.load_later("gunicorn.ctl.server", "concurrent.futures.thread", "encodings.idna")
        app.wsgi()

    def load_later(self, *names):
        """Imports what every instance would import for itself otherwise."""
        for name in names:
            try:
                __import__(name)
            except ImportError:
                pass  # another release

    def on_uvicorn(self, module):
        def load_first(run):
            def wrapped(server, *args, **kwargs):
                if not self.done and not server.config.loaded:
                    server.config.load()
                    if "anyio" in sys.modules:
                        self.load_later("anyio._backends._asyncio", "concurrent.futures.thread")
                self.wait()
                return run(server, *args, **kwargs)

            return wrapped

        self.patch(module.Server, "run", load_first)

    # -- the point itself

    def wait(self):
        if self.done:
            return
        self.done = True
        for undo in reversed(self.undo):
            undo()
        self.check_threads()
        import gc

        gc.collect()
        gc.freeze()
        self.leave_native_threads()
        self.say("ready %d" % os.getpid())
        told = os.read(self.control, 1 << 16)
        # From here on it is another process, in another sandbox.
        self.go_on(told)

    def check_threads(self):
        threading = sys.modules.get("threading")
        if threading is None:
            return
        others = [t.name for t in threading.enumerate() if t is not threading.current_thread()]
        if others:
            self.refuse("it has started threads (%s)" % ", ".join(others))
        if threading.current_thread() is not threading.main_thread():
            self.refuse("it opens its socket in another thread than the main one")

    def leave_native_threads(self):
        """Leaves threads of libraries behind that are prepared for a fork, as
        those of OpenBLAS are: they end before it and start again when needed."""
        tasks = "/proc/self/task"
        if len(os.listdir(tasks)) == 1:
            return
        names = []
        for task in os.listdir(tasks):
            if int(task) != os.getpid():
                with open("%s/%s/comm" % (tasks, task)) as f:
                    names.append(f.read().strip())
        r, w = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(w)
            if not os.read(r, 1):
                os._exit(0)
            os.close(r)
            return
        os.close(r)
        if len(os.listdir(tasks)) > 1:
            self.refuse("libraries have started threads (%s)" % ", ".join(names))
        os.write(w, b"1")
        os.close(w)
        os.close(self.control)
        _, status = os.waitpid(child, 0)
        os._exit(0)

    def go_on(self, told):
        while not told.endswith(b"\n"):
            more = os.read(self.control, 1 << 16)
            if not more:
                os._exit(1)
            told += more
        told = json.loads(told)
        # The C library and others renew what must differ when they see a fork:
        # generators of random numbers before all.
        if os.fork() != 0:
            os._exit(0)
        os.setsid()
        os.environ.clear()
        os.environ.update(told["env"])
        self.reseed()
        self.say("%d" % os.getpid())
        os.close(self.control)

    def reseed(self):
        numpy = sys.modules.get("numpy.random")
        if numpy is not None:
            numpy.seed()


def _main():
    import runpy

    control, kind, target, *rest = sys.argv[1:]
    template = _Template(int(control))
    here = sys.argv[0]
    sys.argv[:] = [target] + rest
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = [sys.executable] + (["-m"] if kind == "module" else []) + [target] + rest
    sys.path[0] = os.getcwd() if kind == "module" else os.path.dirname(os.path.realpath(target))
    if here.startswith("/proc/self/fd/"):
        os.close(int(here.rsplit("/", 1)[1]))
    template.install()
    try:
        if kind == "module":
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(target, run_name="__main__")
    except BaseException as e:
        if template.done:
            raise
        import traceback

        traceback.print_exc()
        template.refuse("it ended before it opened a socket (%s: %s)" % (type(e).__name__, e))
    if not template.done:
        template.refuse("it ended before it opened a socket")


_main()
