"""The code interpreter's SDK, where it is installed beside the other."""

from importlib.util import find_spec

from common import CASES, MADE, Skipped, fails, same

OWN = []


class World:
    box = None


def add():
    """Behind those of before."""
    CASES.extend(OWN)


def case(function):
    def run():
        if find_spec("e2b_code_interpreter") is None:
            raise Skipped("the SDK of the code interpreter is not installed")
        function()

    run.__name__ = function.__name__
    OWN.append(run)
    return function


@case
def code_is_run_and_its_variables_stay():
    from e2b_code_interpreter import Sandbox

    World.box = Sandbox.create(envs={"GIVEN": "x"})
    MADE.append(World.box)
    first = World.box.run_code('x = 1\nprint("said")\nx + 1')
    same((first.text, first.logs.stdout, first.logs.stderr, first.execution_count), ("2", ["said\n"], [], 1))
    same(World.box.run_code("x += 1; x").text, "2")
    same(World.box.run_code('import os; os.environ["GIVEN"], os.getcwd()').text, "('x', '/home/user')")


@case
def what_is_printed_comes_as_it_is_printed():
    seen = []
    told = lambda message: seen.append((message.line, message.error))
    World.box.run_code('import sys\nprint("out")\nprint("err", file=sys.stderr)', on_stdout=told, on_stderr=told)
    same(seen, [("out\n", False), ("err\n", True)])


@case
def an_error_is_told_by_its_name():
    error = World.box.run_code("1 / 0").error
    same((error.name, error.value), ("ZeroDivisionError", "division by zero"))
    same(World.box.run_code("x").text, "2")


@case
def values_are_shown_in_all_ways_that_they_know():
    code = 'class Shown:\n    def _repr_html_(self): return "<b>html</b>"\n    def _repr_png_(self): return b"png"\nShown()'
    (result,) = World.box.run_code(code).results
    same((result.html, result.png, result.is_main_result), ("<b>html</b>", "cG5n", True))


@case
def contexts_are_apart():
    context = World.box.create_code_context(cwd="/tmp")
    same((context.language, context.cwd), ("python", "/tmp"))
    same(World.box.run_code("x", context=context).error.name, "NameError")
    same(len(World.box.list_code_contexts()), 2)
    World.box.restart_code_context(context)
    World.box.remove_code_context(context)
    fails("NotFoundException", "", World.box.run_code, "x", context=context)


@case
def what_takes_too_long_is_interrupted():
    fails("TimeoutException", "", World.box.run_code, "import time\ntime.sleep(600)", timeout=1)
    same(World.box.run_code("x").text, "2")


@case
def files_and_commands_are_those_of_the_same_sandbox():
    World.box.files.write("data.txt", "by files")
    same(World.box.run_code('open("data.txt").read()').text, "'by files'")
    World.box.kill()
