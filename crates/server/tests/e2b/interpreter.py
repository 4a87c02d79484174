"""The code interpreter's SDK, where it is installed beside the other."""

import os
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
def bash_keeps_what_was_defined():
    bash = lambda code, **more: World.box.run_code(code, language="bash", **more)
    first = bash('a="b c"; f() { echo "f $a"; }; cd /tmp; echo out; echo err >&2')
    same((first.logs.stdout, first.logs.stderr, first.error), (["out\n"], ["err\n"], None))
    same("".join(bash("f; pwd; echo $ONCE", envs={"ONCE": "y z"}).logs.stdout), "f b c\n/tmp\ny z\n")
    same(bash("(exit 7)").error.value, "exit status 7")
    fails("TimeoutException", "", bash, "sleep 600", timeout=1)
    same(bash("echo $a $ONCE").logs.stdout, ["b c\n"])


@case
def javascript_keeps_what_was_defined_and_waits_at_its_top():
    js = lambda code, **more: World.box.run_code(code, language="javascript", **more)
    same(len(js("const k = 5; function f() { throw new TypeError('bad') }").results), 0)
    same((js("k + 1").text, js("await Promise.resolve({ a: k })").results[0].json), ("6", {"a": 5}))
    said = js("console.log('out'); console.error('err'); 'text'")
    same((said.logs.stdout, said.logs.stderr, said.text), (["out\n"], ["err\n"], "text"))
    error = js("f()").error
    same((error.name, error.value), ("TypeError", "bad"))
    fails("TimeoutException", "", js, "while (true) {}", timeout=1)
    context = World.box.create_code_context(language="js", cwd="/tmp")
    same((context.language, World.box.run_code("process.cwd() + typeof k", context=context).text), ("javascript", "/tmpundefined"))
    same(js("k").text, "5")


@case
def a_language_that_does_not_run_here_is_refused():
    for language in ("r", "java"):
        error = World.box.run_code("1", language=language).error
        same((error.name, error.value.split(";")[0]), ("UnsupportedLanguage", f"Language {language} is not supported here"))
    fails("SandboxException", "Language r is not supported here", World.box.create_code_context, language="r")


@case
def charts_are_told_as_data():
    from e2b_code_interpreter import charts

    place = os.environ.get("CHARTS")
    if not place:
        raise Skipped("matplotlib is not installed")
    with open(place, "rb") as archive:
        World.box.files.write("charts.tar.gz", archive.read())
    World.box.commands.run("mkdir -p charts && tar -xzf charts.tar.gz -C charts")
    same(World.box.run_code("import sys; sys.path.insert(0, '/home/user/charts')\nimport matplotlib.pyplot as plt").error, None)

    def draw(code):
        ended = World.box.run_code(code + "\nplt.show()")
        same((ended.error, len(ended.results)), (None, 1))
        return ended.results[0].chart

    bar = draw("plt.bar(['A', 'B'], [1, 2], label='Sold'); plt.title('T'); plt.ylabel('Mass [kg]')")
    same((type(bar), bar.title, bar.x_label, bar.y_unit), (charts.BarChart, "T", None, "kg"))
    same([(one.label, one.group, one.value) for one in bar.elements], [("A", "Sold", 1), ("B", "Sold", 2)])
    line = draw("plt.plot(['x', 'y'], [1, 2], label='l')")
    same((type(line), line.x_scale, line.y_scale), (charts.LineChart, charts.ScaleType.CATEGORICAL, charts.ScaleType.LINEAR))
    same([(one.label, one.points) for one in line.elements], [("l", [("x", 1.0), ("y", 2.0)])])
    same((line.x_ticks, line.x_tick_labels), (["x", "y"], ["x", "y"]))
    pie = draw("plt.pie([90, 10], labels=['No', 'Yes'], startangle=90)")
    same([(one.label, one.angle, one.radius) for one in pie.elements], [("No", 324, 1), ("Yes", 36, 1)])
    boxes = draw("plt.boxplot([[1, 2, 3, 4, 100], [2, 3, 4]], orientation='horizontal', patch_artist=True)")
    first = boxes.elements[0]
    same((type(boxes), len(boxes.elements), first.label), (charts.BoxAndWhiskerChart, 2, "1"))
    same((first.min, first.first_quartile, first.median, first.third_quartile, first.max, first.outliers), (1, 2, 3, 4, 4, [100]))
    both = draw("fig, (a, b) = plt.subplots(1, 2); fig.suptitle('Both'); a.scatter([1, 2], [3, 4], label='D'); b.barh(['p'], [5])")
    same((type(both), both.title, [type(one) for one in both.elements]), (charts.SuperChart, "Both", [charts.ScatterChart, charts.BarChart]))
    same((both.elements[0].elements[0].points, both.elements[1].elements[0].value), ([(1.0, 3.0), (2.0, 4.0)], 5))
    same(draw("plt.gca().add_artist(plt.Circle((0, 0), 1))").type, charts.ChartType.UNKNOWN)


@case
def files_and_commands_are_those_of_the_same_sandbox():
    World.box.files.write("data.txt", "by files")
    same(World.box.run_code('open("data.txt").read()').text, "'by files'")
    World.box.kill()
