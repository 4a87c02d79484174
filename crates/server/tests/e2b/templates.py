"""Templates, by the SDK's own builder."""

import os
import tempfile
import time

from e2b import Sandbox, Template

from common import CASES, Skipped, create, fails, same

OWN = []


def add():
    """Behind those of before."""
    CASES.extend(OWN)


def case(function):
    OWN.append(function)
    return function


def base(**options):
    return Template(**options).from_base_image()


def built(template, name, **options):
    """What was logged, and what was built."""
    logs = []
    info = Template.build(template, name, on_build_logs=lambda entry: logs.append(entry.message), **options)
    return logs, info


def said(name, command):
    one = create(template=name)
    try:
        return one.commands.run(command).stdout
    finally:
        one.kill()


@case
def a_template_is_built_and_sandboxes_begin_with_it():
    template = (
        base()
        .set_envs({"OWN": "a b", "MORE": "$OWN c"})
        .set_workdir("/home/user/app")
        .run_cmd("echo $MORE > made; pwd > where; id -un > who")
        .run_cmd("echo x > /etc/of-root", user="root")
    )
    logs, info = built(template, "py-first")
    assert any("echo $MORE > made" in line for line in logs), logs
    same(said("py-first", "cat made where who /etc/of-root; pwd; echo $OWN"), "a b c\n/home/user/app\nuser\nx\n/home/user/app\na b\n")
    same(said(info.template_id, "cat made"), "a b c\n", "by its id")


@case
def what_a_step_prints_is_logged():
    logs, _ = built(base().run_cmd("seq 300; echo err >&2"), "py-logs", skip_cache=True)
    same([line for line in logs if line.isdigit()], [str(n) for n in range(1, 301)])
    assert "err" in logs, logs


@case
def layers_of_before_are_used_again():
    own = time.time_ns()
    made = lambda last: base().run_cmd(f"date +{own}%N > /home/user/when").run_cmd(f"echo {last} > /home/user/last")
    built(made("a"), "py-cache", skip_cache=True)
    first = said("py-cache", "cat when last").split()
    logs, _ = built(made("b"), "py-cache")
    assert any(line.startswith("CACHED") for line in logs), logs
    same(said("py-cache", "cat when last").split(), [first[0], "b"])
    built(made("b"), "py-cache", skip_cache=True)
    assert said("py-cache", "cat when") != first[0] + "\n"


@case
def files_are_copied():
    with tempfile.TemporaryDirectory() as at:
        os.makedirs(f"{at}/folder/deep")
        for path in ("one.txt", "folder/a.py", "folder/deep/b.py"):
            with open(f"{at}/{path}", "w", encoding="utf-8") as file:
                file.write(path)
        template = base(file_context_path=at)
        template = template.copy("one.txt", "/home/user/renamed.txt").copy("one.txt", "into/", user="root", mode=0o600)
        template = template.copy("folder", "/home/user/all").copy("folder/*.py", "/home/user/some")
        built(template, "py-copy")
    seen = said("py-copy", 'cat renamed.txt; echo; find all some into | sort; stat -c "%U %a" into/one.txt')
    same(seen.split(), ["one.txt", "all", "all/a.py", "all/deep", "all/deep/b.py", "into", "into/one.txt", "some", "some/a.py", "root", "600"])


@case
def a_step_that_fails_fails_the_build():
    fails("BuildException", "exit status 3", built, base().run_cmd("true").run_cmd("echo said; exit 3"), "py-fails")
    fails("SandboxException", "not found", Sandbox.create, template="py-fails")
    same(Template.exists("py-fails"), False)
    fails("BuildException", "invalid username: 'root123'", built, base().set_user("root123").run_cmd("true"), "py-nobody")


@case
def what_a_template_starts_runs_in_each_sandbox():
    ask = "python3 -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8124').read().decode())\""
    template = base().run_cmd("mkdir -p /home/user/site; echo served > /home/user/site/index.html")
    built(template.set_start_cmd("cd /home/user/site && exec python3 -m http.server 8124", ask), "py-start")
    same(said("py-start", ask).strip(), "served")


@case
def a_template_is_made_from_another():
    built(base().set_envs({"A": "1"}).run_cmd("echo a > /home/user/a"), "py-below")
    built(Template().from_template("py-below").set_envs({"B": "$A"}).run_cmd("echo b > /home/user/b"), "py-above")
    same(said("py-above", "cat a b; echo $A $B"), "a\nb\n1 1\n")
    fails("BuildException", "lamplight image add no-such-1", built, Template().from_image("no-such:1").run_cmd("true"), "py-image")


@case
def an_image_of_a_registry_is_fetched_once_for_whom_the_registry_knows():
    image = os.environ.get("IMAGE")
    if not image:
        raise Skipped("there is no registry")
    made = lambda **login: Template().from_image(image, **login).run_cmd("echo $OF_THE_IMAGE > /home/user/seen")
    logs, _ = built(made(username="ada", password="secret"), "py-fetched")
    assert any(line.startswith("Fetching layer 1 of 1") for line in logs), logs
    assert "secret" not in "\n".join(logs), logs
    same(said("py-fetched", "cat /etc/os-release seen; id -un"), "ID=tiny\n7\nuser\n")
    logs, _ = built(made(username="ada", password="secret").run_cmd("true"), "py-fetched-again")
    assert not any(line.startswith("Fetching layer") for line in logs), logs
    fails("BuildException", "401", built, made(username="ada", password="wrong"), "py-unknown")
    fails("BuildException", "whom it knows", built, made(), "py-unknown")


@case
def a_registry_that_is_not_in_the_list_is_not_asked():
    fails("BuildException", "e2b.registries", built, Template().from_image("127.0.0.1:1/team/tool:1").run_cmd("true"), "py-image")
    amazon = Template().from_aws_registry("127.0.0.1:1/a", "a", "b", "c").run_cmd("true")
    fails("BuildException", "get-login-password", built, amazon, "py-image")


@case
def sandboxes_of_a_template_have_the_size_that_it_asks_for():
    built(base().run_cmd("true"), "py-small", cpu_count=1, memory_mb=256)
    one = create(template="py-small")
    info = one.get_info()
    same((info.cpu_count, info.memory_mb), (1, 256))
    one.kill()


@case
def names_and_tags_lead_to_builds():
    built(base().run_cmd("echo 1 > /home/user/n"), "py-tags:v1")
    _, info = built(base().run_cmd("echo 2 > /home/user/n"), "py-tags", tags=["v2", "latest"])
    same((Template.exists("py-tags"), Template.exists("py-no-such")), (True, False))
    same((said("py-tags:v1", "cat n"), said("py-tags:v2", "cat n")), ("1\n", "2\n"))
    same(sorted(Template.assign_tags("py-tags:v1", ["latest", "stable"]).tags), ["latest", "stable", "v1"])
    same(said("py-tags:latest", "cat n"), "1\n", "a tag moves")
    same(sorted(one.tag for one in Template.get_tags(info.template_id)), ["latest", "stable", "v1", "v2"])
    Template.remove_tags("py-tags", ["stable", "v2"])
    same(sorted(one.tag for one in Template.get_tags("py-tags")), ["latest", "v1"])
    fails("TemplateException", "", Template.assign_tags, ":x", "y")


@case
def a_build_in_the_background_says_how_it_is():
    info = Template.build_in_background(base().run_cmd("sleep 1; echo done"), "py-background", skip_cache=True)
    seen = []
    while not seen or seen[-1] in ("waiting", "building"):
        seen.append(Template.get_build_status(info).status.value)
        time.sleep(0.1)
    assert seen[0] in ("waiting", "building") and seen[-1] == "ready", seen
