# Settings, paths and the functions that rules use. The work itself lives in scripts/audiogrid/.
import json
import subprocess
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from audiogrid import config as configuration
from audiogrid.ending import read_ending
from audiogrid.errors import AudiogridError
from audiogrid.models import folder_name, load_registry
from audiogrid.plan import Plan
from audiogrid.progress import RunFolder
from audiogrid.listing import listing_hash
from audiogrid.runstate import merge_generation, run_config, shard_generation

try:
    SETTINGS = configuration.resolve(config)
    RESULTS = f"results/{SETTINGS['run']}"
    MODEL_DIR = f"models/{folder_name(SETTINGS['model'], load_registry(Path('config/models.yaml')))}"
    # Only the main process looks at the recordings: jobs on other nodes work from the plan.
    LISTING = (
        listing_hash(SETTINGS["recordings"], SETTINGS["channels"])
        if workflow.is_main_process
        else "seen by the main process"
    )
except AudiogridError as error:
    raise WorkflowError(str(error))

FOLDER = RunFolder(Path(RESULTS))
SCRIPTS = Path(workflow.basedir).parent / "scripts"
PYTHON = sys.executable
ALLOW_GAPS = "--allow-gaps" if SETTINGS["allow_gaps"] else ""
MODEL = f"{MODEL_DIR}/audiogrid.json"


wildcard_constraints:
    bundle=r"b\d+",
    shard=r"s\d+",


def setting(*keys):
    """A value of the configuration, as the text of a command line argument."""
    value = SETTINGS
    for key in keys:
        value = value[key]
    return str(value)


def shards_at_least():
    """`auto`: one shard is best on one machine, where all cores work at it; a cluster wants several."""
    given = SETTINGS["shards"]["at_least"]
    if given != "auto":
        return given
    return 1 if workflow.local_exec else 8


def plan_settings():
    """Everything besides the recordings that shapes the plan and the text, as JSON (tracked as a parameter)."""
    options = dict(SETTINGS["decoding"])
    options.update({key: SETTINGS[key] for key in ("language", "prompt", "hotwords", "compute_type")})
    return json.dumps(
        {
            "options": options,
            "chunk_minutes": SETTINGS["chunk_minutes"],
            "bundle_minutes": SETTINGS["bundle_minutes"],
            "shard_minutes": SETTINGS["shards"]["minutes"],
            "shards_at_least": shards_at_least(),
            "chunks_per_shard": SETTINGS["shards"]["chunks_per_shard"],
        },
        sort_keys=True,
    )


def merge_settings():
    """What shapes the transcripts beyond their words, as JSON (tracked as a parameter)."""
    return json.dumps(
        {key: SETTINGS[key] for key in ("formats", "subtitles", "chunk_texts", "allow_gaps")}, sort_keys=True
    )


_plans = {}


def the_plan():
    """The plan, read once per version of its file. Raises what Snakemake expects while there is none yet."""
    path = Path(checkpoints.make_plan.get().output.plan)
    version = path.stat().st_mtime_ns
    if version not in _plans:
        _plans.clear()
        _plans[version] = Plan.read(path)
    return _plans[version]


def merged_bundles(wildcards):
    """One file per bundle of the plan."""
    return [f"{RESULTS}/merged/{bundle.bundle}.json" for bundle in the_plan().bundles]


def outstanding(wildcards):
    """A target that is never up to date while recordings are rejected or failed: such a run does not end well."""
    the_plan()
    trouble = FOLDER.rejected.is_file() and len(FOLDER.rejected.read_text().splitlines()) > 1
    return [f"{RESULTS}/.state/outstanding"] if trouble else []


def job_command(script):
    """Python and a script, to be followed by arguments; both quoted."""
    return f"{quote(PYTHON)} {quote(str(SCRIPTS / script))}"


def quote(text):
    """A word for the shell."""
    import shlex

    return shlex.quote(text)


def write_run_config():
    """Leave the merged configuration, versions, model hash and command beside the results."""
    run_config(FOLDER, SETTINGS, Path(MODEL_DIR), sys.argv)


def end_well():
    """Say how the run ended; rejected recordings make it end with an error after everything else is done."""
    write_run_config()
    ending = read_ending(FOLDER)
    if not FOLDER.summary.is_file():
        return
    print("\n".join(["", *ending.lines]), file=sys.stderr)
    if ending.troubles:
        raise WorkflowError(f"{' and '.join(ending.troubles)}; everything else is done.")


def end_badly():
    """After a failure: give every complete recording its transcript and say what is missing."""
    if FOLDER.plan.is_file():
        command = [PYTHON, str(SCRIPTS / "report.py"), "--partial", "--run-dir", RESULTS]
        command += ["--store", SETTINGS["store"], "--settings", merge_settings()]
        subprocess.run(command, check=False)
