"""The kernel of Python. Where IPython is installed it runs what IPython runs; otherwise plain Python, with the same ways to show values."""

import ast
import inspect
import json
import linecache
import os
import signal
import sys
import traceback
import types

from . import charts
from .events import Printed, Told
from .shown import by_mime, told, with_more


class Plain:
    """Python as it is, with what notebooks have: the value of a last expression is shown, and `display`."""

    def __init__(self, events):
        self.events = events
        self.names = {"__name__": "__main__", "display": self.display}
        sys.displayhook = lambda value: self.show(value, True)
        # So that what is defined here can be pickled, and found by its module.
        main = types.ModuleType("__main__")
        main.__dict__.update(self.names)
        sys.modules["__main__"] = main
        self.names = main.__dict__

    def show(self, value, is_main):
        if value is not None:
            self.names["_"] = value
            self.events.tell(type="result", is_main_result=is_main, **told(value))

    def display(self, *values):
        for value in values:
            self.events.tell(type="result", is_main_result=False, **told(value))

    def run(self, code, count):
        name = f"<cell {count}>"
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        tree = ast.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        value = self.evaluate(compile(tree, name, "exec", flags))
        if last is not None:
            ends_quietly = code.rstrip().endswith(";")
            value = self.evaluate(compile(ast.Expression(last.value), name, "eval", flags))
            self.show(None if ends_quietly else value, True)
        self.figures()

    def evaluate(self, code):
        value = eval(code, self.names)
        if inspect.iscoroutine(value) and code.co_flags & inspect.CO_COROUTINE:
            # It takes a while, and few want it.
            import asyncio

            self.loop = getattr(self, "loop", None) or asyncio.new_event_loop()
            return self.loop.run_until_complete(value)
        return value

    def figures(self):
        """Figures that were drawn and not shown."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        for number in pyplot.get_fignums() if pyplot else []:
            self.display(pyplot.figure(number))
        if pyplot:
            pyplot.close("all")


def ipython(events):
    """IPython, if it is there."""
    try:
        from IPython.core.displayhook import DisplayHook
        from IPython.core.displaypub import DisplayPublisher
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config
    except ImportError:
        return None

    class Hook(DisplayHook):
        def write_output_prompt(self):
            pass

        def write_format_data(self, bundle, metadata=None):
            self.bundle = bundle

        def finish_displayhook(self):
            result = by_mime(getattr(self, "bundle", {}))
            events.tell(type="result", is_main_result=True, **with_more(self.shell.user_ns.get("_"), result))

    class Published(DisplayPublisher):
        def publish(self, data, metadata=None, **_):
            events.tell(type="result", is_main_result=False, **by_mime(data))

        def clear_output(self, wait=False):
            pass

    InteractiveShell.displayhook_class = Hook
    InteractiveShell.display_pub_class = Published
    InteractiveShell.colors.default_value = "NoColor" if not hasattr(InteractiveShell, "nocolor") else "nocolor"
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    bundles = shell.display_formatter.mimebundle_formatter
    bundles.for_type_by_name("matplotlib.figure", "Figure", lambda figure, **_: {charts.MIME: charts.of(figure)})
    shell.showtraceback = lambda *_, **__: None
    shell.showsyntaxerror = lambda *_, **__: None

    class Shell:
        def run(self, code, _count):
            if "matplotlib" in code:
                try:
                    shell.enable_matplotlib("inline")
                except Exception:
                    pass
            done = shell.run_cell(code, store_history=True)
            if done.error_before_exec or done.error_in_exec:
                raise done.error_before_exec or done.error_in_exec

    return Shell()


def trace(error):
    own = error.__traceback__
    # Ours is nobody's business.
    while own is not None and not own.tb_frame.f_code.co_filename.startswith(("<cell", "<ipython")):
        own = own.tb_next
    return "".join(traceback.format_exception(type(error), error, own))


def kernel(_program):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = Told()
    sys.stdout, sys.stderr = Printed(out.events, "stdout", 1), Printed(out.events, "stderr", 2)
    sys.argv = [""]
    os.environ.setdefault("MPLBACKEND", "agg")
    runner, count = None, 0
    for line in out.commands:
        command = json.loads(line)
        count += 1
        before = dict(os.environ)
        os.environ.update(command["env_vars"])
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            out.tell(type="number_of_executions", execution_count=count)
            runner = runner or ipython(out.events) or Plain(out.events)
            runner.run(command["code"], count)
        except BaseException as error:  # noqa: BLE001
            out.tell(type="error", name=type(error).__name__, value=str(error), traceback=trace(error))
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        for name in command["env_vars"]:
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]
        out.drain()
        out.tell(type="end_of_execution")
