"""Whether what is in deploy/ can be used, and says what the program says: `deploy.py ROOT LAMPLIGHT`. One line for each thing that has to hold, and
the last one counts.

Helm's own library renders the chart; Kubernetes' schemas, the Compose specification's and the linters of Containerfiles, Caddy and systemd judge the
rest. What none of them knows is compared here: what the program takes as its configuration, how long it needs to stop, whom it runs as.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from shutil import which

import helm_python
import kubernetes_validate
import yaml

ROOT, LAMPLIGHT = Path(sys.argv[1]), sys.argv[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm/lamplight"
BIN = Path(sys.executable).parent

SHARED = {"replicas": 3, "database": {"secret": "database"}, "sealingKey": {"secret": "sealing"}}
# What the chart is rendered with.
CASES = {
    "as it comes": {},
    "three servers": SHARED,
    "sandboxes in a cloud": {
        "sandboxes": {"provider": "e2b"},
        "configuration": '[e2b_provider]\ndomain = "e2b.app"\n',
        "secretEnvironment": {"E2B_API_KEY": {"secret": "e2b", "key": "key"}},
    },
    "everything that can be said": SHARED
    | {
        "tls": "none",
        "previewDomain": "previews.example.org",
        "ingress": {"enabled": True, "className": "a", "annotations": {"a": "b"}, "tlsSecret": "a"},
        "networkPolicy": {"ingressFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
        "imagePullSecrets": ["a"],
        "serviceAccount": {"name": "a", "annotations": {"a": "b"}},
        "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
        "persistence": {"storageClass": "a"},
        "environment": {"LAMPLIGHT_LOG_LEVEL": "debug", "LAMPLIGHT_E2B_ENABLED": True},
        "secretEnvironment": {"ANTHROPIC_API_KEY": {"secret": "models", "key": "anthropic"}},
        "podAnnotations": {"a": "b"},
        "podLabels": {"a": "b"},
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
    },
}
# What it has to refuse.
REFUSED = {
    "several servers without a database": SHARED | {"database": {"secret": ""}},
    "several servers without a sealing key": SHARED | {"sealingKey": {"secret": ""}},
    "a word that nobody reads": {"replica": 2},
    "a provider that there is not": {"sandboxes": {"provider": "docker"}},
    "a key that anybody can read": {"environment": {"ANTHROPIC_API_KEY": "sk"}},
    "a password that anybody can read": {"environment": {"LAMPLIGHT_DATABASE": "postgres://a:b@c/d"}},
    "less time to stop than it needs": {"terminationGracePeriodSeconds": 10},
}
# Of what is in Secrets, something of the right form.
SECRETS = {"LAMPLIGHT_DATABASE": "postgres://a:b@database/c", "LAMPLIGHT_SECRETS_KEY": "0" * 64}

counted = {"passed": 0, "failed": 0, "skipped": 0}


def tell(what, complaints):
    counted["failed" if complaints else "passed"] += 1
    print("✗" if complaints else "✓", what)
    for complaint in complaints:
        print("   ", complaint)


def skip(why):
    counted["skipped"] += 1
    print("–", why)


def text(path):
    return (ROOT / path).read_text()


def number(path, pattern):
    """The one number that is written there."""
    (found,) = re.findall(pattern, text(path))
    return int(found)


def stopping():
    """Seconds from SIGTERM to the end of the server, at most."""
    seconds = r": Duration = Duration::from_secs\((\d+)\)"
    requests = number("crates/server/src/http/serve.rs", "const GRACE" + seconds)
    return requests + number("crates/server/src/cli/serve.rs", "const SHUTDOWN" + seconds)


def user():
    return number("deploy/Containerfile", r"useradd --uid (\d+)")


def said_by(*command, environment=None):
    """Nothing where it ends well, else what it said."""
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return [] if done.returncode == 0 else [(done.stdout + done.stderr).strip()]


def of_program(variables, configuration=""):
    """What the program says of a configuration; it refuses a variable of its own that it does not know."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "lamplight.toml"
        file.write_text(configuration)
        environment = {"HOME": home, "PATH": os.environ["PATH"]} | variables | {"LAMPLIGHT_CONFIG": str(file)}
        return said_by(LAMPLIGHT, "config", environment=environment)


def of_image():
    """The variables that the image has by itself."""
    return dict(re.findall(r"^(?:ENV| +) (LAMPLIGHT_\w+)=(\S+)", text("deploy/Containerfile"), re.MULTILINE))


# The chart.


def rendered(values):
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(values, name="lamplight", namespace="agents")
    manifests = [content for name, content in files.items() if name.endswith(".yaml")]
    return [document for content in manifests for document in yaml.safe_load_all(content) if document]


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def of_helm(values):
    report = helm_python.lint(CHART, values, strict=True)
    # Below is that an icon would be nice.
    warnings = [message["error"] for message in report["messages"] if message["severity"] > 1]
    return warnings + report["errors"]


def of_kubernetes(documents):
    """By the schemas of every version that the chart takes."""
    oldest = re.search(r">=([\d.]+)", yaml.safe_load(text(CHART / "Chart.yaml"))["kubeVersion"]).group(1)
    version_of = lambda version: [int(part) for part in version.split(".")]
    versions = [it for it in kubernetes_validate.utils.all_versions() if version_of(it) >= version_of(oldest)]
    complaints = [] if len(versions) > 1 else [f"there are no schemas of {oldest} and newer"]
    for version in versions:
        for document in documents:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                complaints.append(f"{document['kind']}, {version}: {error.message}")
    return complaints


def of_a_piece(documents):
    """What one document says of another."""
    (servers,) = of_kind(documents, "StatefulSet")
    servers, (account,), (policy,) = (
        servers["spec"],
        of_kind(documents, "ServiceAccount"),
        of_kind(documents, "NetworkPolicy"),
    )
    services, pod = of_kind(documents, "Service"), servers["template"]["spec"]
    (container,) = pod["containers"]
    labels = servers["template"]["metadata"]["labels"].items()
    selectors = [servers["selector"], policy["spec"]["podSelector"]]
    selectors += [it["spec"]["selector"] for it in of_kind(documents, "PodDisruptionBudget")]
    selectors = [it["matchLabels"] for it in selectors] + [it["spec"]["selector"] for it in services]
    ports = {port["name"] for port in container["ports"]}
    probes = [container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    asked = [port["targetPort"] for it in services for port in it["spec"]["ports"]]
    asked += [probe["port"] for probe in probes] + [port["port"] for port in policy["spec"]["ingress"][0]["ports"]]
    volumes = [it["name"] for it in pod["volumes"]]
    volumes += [it["metadata"]["name"] for it in servers["volumeClaimTemplates"]]
    routes = text("crates/server/src/http/mod.rs")
    grace = pod["terminationGracePeriodSeconds"] - container["lifecycle"]["preStop"]["sleep"]["seconds"]
    holds = {
        "a selector selects no server": all(it and it.items() <= labels for it in selectors),
        "the servers have names of no Service": servers["serviceName"] in [it["metadata"]["name"] for it in services],
        "the ServiceAccount is another": pod["serviceAccountName"] == account["metadata"]["name"],
        "a port is asked that there is not": ports.issuperset(asked),
        "a probe asks what the server does not answer": all(f'"{it["path"]}"' in routes for it in probes),
        "a volume is there or mounted, and not both": sorted(volumes)
        == sorted(it["name"] for it in container["volumeMounts"]),
        "it is killed before it has stopped": grace >= stopping(),
        "values are in a Secret": not of_kind(documents, "Secret"),
        "one server has a budget for disruptions, or several have none": (servers["replicas"] > 1)
        == bool(of_kind(documents, "PodDisruptionBudget")),
    }
    return [what for what, is_so in holds.items() if not is_so]


def of_server(documents):
    """What the program says of the variables and the file that it is given."""
    (servers,), (configuration,) = of_kind(documents, "StatefulSet"), of_kind(documents, "ConfigMap")
    (container,) = servers["spec"]["template"]["spec"]["containers"]
    variables = {it["name"]: it.get("value", SECRETS.get(it["name"], "a")) for it in container["env"]}
    for name in variables:
        variables[name] = variables[name].replace("$(POD_NAME)", "lamplight-0")
    return of_program(of_image() | variables, configuration["data"]["lamplight.toml"])


def of_security(documents):
    """Source: Pod Security Standards, "restricted". Sandboxes in the pod need more, and then a user namespace around it."""
    complaints = []
    for document in of_kind(documents, "StatefulSet") + of_kind(documents, "Pod"):
        pod = document["spec"].get("template", document)["spec"]
        (container,) = pod["containers"]
        context, of_pod = container["securityContext"], pod["securityContext"]
        is_local = {"name": "LAMPLIGHT_SANDBOX_PROVIDER", "value": "local"} in container.get("env", [])
        seccomp = context.get("seccompProfile", of_pod.get("seccompProfile"))["type"]
        holds = {
            "is another user than the image's": of_pod["runAsNonRoot"] and of_pod["runAsUser"] == user(),
            "keeps capabilities": context["capabilities"] == {"drop": ["ALL"]},
            "may gain privileges": context["allowPrivilegeEscalation"] is False,
            "writes to its image": context["readOnlyRootFilesystem"] is True,
            "has a token of the cluster's": pod["automountServiceAccountToken"] is False,
            "has variables of Services, which the program refuses": pod["enableServiceLinks"] is False,
            "has the wrong filter": seccomp == ("Unconfined" if is_local else "RuntimeDefault"),
            "has the wrong /proc": context.get("procMount") == ("Unmasked" if is_local else None),
            "has the wrong users": pod.get("hostUsers") is (False if is_local else None),
        }
        complaints += [f"the {document['kind']} {what}" for what, is_so in holds.items() if not is_so]
    return complaints


def of_schema(values):
    """That it refuses these."""
    try:
        with helm_python.Chart.load(CHART) as chart:
            chart.validate_schema(values)
    except helm_python.HelmValuesError:
        return []
    return ["they are taken"]


def of_version():
    ours = tomllib.loads(text("Cargo.toml"))["workspace"]["package"]["version"]
    chart = yaml.safe_load(text(CHART / "Chart.yaml"))["appVersion"]
    return [] if chart == ours else [f"the chart is of {chart}, the program {ours}"]


# The others.


def of_compose():
    complaints = said_by(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")
    composed = yaml.safe_load(text("deploy/compose.yaml"))
    services, volumes = composed["services"], composed["volumes"]
    by_default = [name for name, service in services.items() if "profiles" not in service]
    if by_default != ["one"]:
        complaints.append(f"without a profile there are {by_default}")
    for name, service in services.items():
        sources = [mount.split(":")[0] for mount in service.get("volumes", [])]
        holds = {
            "waits for nobody that there is": all(it in services for it in service.get("depends_on", [])),
            "mounts what is not there": all(it in volumes or (DEPLOY / it).is_file() for it in sources),
        }
        if "build" in service:
            recipe = DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]
            holds["is built from nothing"] = recipe.is_file()
            grace = int(service["stop_grace_period"].removesuffix("s"))
            holds["is killed before it has stopped"] = grace > stopping()
            complaints += of_program(of_image() | given(service["environment"]))
        complaints += [f"{name} {what}" for what, is_so in holds.items() if not is_so]
    return complaints


def given(environment):
    """As it is where nobody has set anything. Source: the Compose specification, interpolation."""
    default = lambda found: found.group(2) or ""
    said = {name: value for name, value in environment.items() if value is not None}
    return {name: re.sub(r"\$\{(\w+):-([^}]*)\}", default, value) for name, value in said.items()}


def of_containerfile():
    complaints = said_by(BIN / "hadolint", "deploy/Containerfile")
    said = text("deploy/Containerfile")
    channel = tomllib.loads(text("rust-toolchain.toml"))["toolchain"]["channel"]
    if f"rust:{channel}-" not in said:
        complaints.append(f"it is not built with Rust {channel}")
    if f"USER {user()}:{user()}\n" not in said:
        complaints.append("it runs as another user than the one that it has")
    return complaints


def of_unit(unit):
    complaints = of_program(dict(re.findall(r"(LAMPLIGHT_\w+)=(\S+)", unit)))
    if number("deploy/lamplight.service", r"TimeoutStopSec=(\d+)") <= stopping():
        complaints.append("it is killed before it has stopped")
    return complaints


def of_systemd(unit):
    with tempfile.TemporaryDirectory() as folder:
        # The program need not be installed here.
        tried = Path(folder) / "lamplight.service"
        tried.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", unit))
        command = ["systemd-analyze", "verify", "--man=no", tried]
        said = subprocess.run(command, capture_output=True, text=True).stderr
    # What it does not understand it passes over, and ends well; it also speaks of units of this machine.
    return [line for line in said.splitlines() if tried.name in line]


for case, values in CASES.items():
    documents = rendered(values)
    tell(f"the chart, {case}: helm lint", of_helm(values))
    tell(f"the chart, {case}: Kubernetes' schemas", of_kubernetes(documents))
    tell(f"the chart, {case}: of a piece", of_a_piece(documents))
    tell(f"the chart, {case}: what the program is given", of_server(documents))
    tell(f"the chart, {case}: what the pods may", of_security(documents))
for case, values in REFUSED.items():
    tell(f"the chart refuses {case}", of_schema(values))
tell("the chart is of this version", of_version())
tell("compose.yaml", of_compose())
tell("Containerfile", of_containerfile())
with tempfile.TemporaryDirectory() as home:
    caddy = os.environ | {"XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home}
    proxy = [BIN / "caddy", "validate", "--adapter", "caddyfile", "--config", DEPLOY / "Caddyfile"]
    tell("Caddyfile", said_by(*proxy, environment=caddy))
unit = text("deploy/lamplight.service")
tell("lamplight.service", of_unit(unit))
if which("systemd-analyze"):
    tell("lamplight.service: systemd-analyze verify", of_systemd(unit))
else:
    skip("lamplight.service is not shown to systemd: there is no systemd-analyze")
print("Checks", ", ".join(f"{count} {what}" for what, count in counted.items()))
sys.exit(counted["failed"] > 0)
