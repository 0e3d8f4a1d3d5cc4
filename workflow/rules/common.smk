# Settings, paths and the functions that rules use. The work itself lives in scripts/audiogrid/.
import json
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# The folder of this file. `workflow.basedir` is that of the main Snakefile, which differs in a module.
RULES_FOLDER = workflow.current_basedir.get_path_or_uri(secret_free=True)
SNAKEFILE = Path(RULES_FOLDER).parent / "Snakefile"
if Path(RULES_FOLDER, "../../scripts/audiogrid").is_dir():
    # Use the library of this clone, even if the environment has another audiogrid installed.
    sys.path.insert(0, str(Path(RULES_FOLDER).parent.parent / "scripts"))

try:
    import audiogrid
except ImportError:
    raise WorkflowError(
        f"The Python that runs Snakemake ({sys.executable}) has no package audiogrid: install it there "
        "(pip install, with the address of the repository), or start from a clone."
    )

from audiogrid.config import resolve as configuration
from audiogrid.config.as_written import as_written
from audiogrid.config.run_settings import RunSettings
from audiogrid.decoding.revisions import REVISION, check_revisions
from audiogrid.planning import job_resources
from audiogrid.reporting.last_lines import read_run_summary
from audiogrid.core.errors import AudiogridError
from audiogrid.models.registry import load_registry, memory_of
from audiogrid.records.plan import PlanReader
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import embedded_chunks, given_turns, has_speakers
from audiogrid.embedding.embedders import CAMPPLUS, SPEAKERS_MODEL
from audiogrid.remote.publishing import is_published, target
from audiogrid.probing.fingerprint import current_listing
from audiogrid.orchestration.stale_locks import is_read_only, record_driver, remove_stale_locks
from audiogrid.orchestration.generations import merge_generation, shard_generation
from audiogrid.orchestration import handlers
from audiogrid.transcribing.preflight import check_machine
from audiogrid.orchestration.tracked_files import tracked_file
from audiogrid.models.sources import folder_state
from audiogrid.orchestration.installation import export_commands, home_of, project_file
from audiogrid.orchestration.snakemake_output import hide_scheduling

try:
    HOME = home_of(RULES_FOLDER)
    # Files of the command line come last, because they override the file of the working folder.
    own_files = [path for path in workflow.configfiles if path not in workflow.overwrite_configfiles]
    RUN = RunSettings(
        configuration.resolve(
            as_written(
                config,
                map(Path, [*own_files, *workflow.overwrite_configfiles]),
                workflow.config_settings.config_args or (),
            )
        ),
        load_registry(project_file("config/models.yaml", HOME)),
    )
    SETTINGS = RUN.settings
    check_revisions(SETTINGS["accept_revisions"])
    RESULTS = f"results/{SETTINGS['run']}"
    COMPARISON = RUN.comparison
    # Address that results are copied to at the end, or None.
    PUBLISH = target(SETTINGS["publish"], SETTINGS["run"]) if SETTINGS["publish"] else None
    # Folder name -> model as the configuration names it.
    ALL_MODELS = RUN.all_models
    # The model that identifies languages for routes.
    (IDENTIFYING_MODEL,) = RUN.identifying_model
    IDENTIFIES = RUN.identifies
    # Only the main process lists the recordings. Jobs on other nodes read the plan.
    LISTING = (
        current_listing(
            SETTINGS["recordings"],
            SETTINGS["channels"],
            Path(RESULTS, ".state"),
            is_read_only=is_read_only(sys.argv),
        )
        if workflow.is_main_process
        else "seen by the main process"
    )
except AudiogridError as error:
    raise WorkflowError(str(error))

FOLDER = RunFolder(Path(RESULTS))
MODEL_DIRS = [f"models/{name}" for name in RUN.models]


def tracked(path, value):
    """Input of a rule that has to run again when a value changes, whichever rerun triggers are chosen."""
    return tracked_file(
        Path(path), value, is_main_process=workflow.is_main_process, is_read_only=is_read_only(sys.argv)
    )


LISTING_FILE = tracked(f"{RESULTS}/.state/listing", LISTING)
# Model -> file that describes the local folder it is copied from.
MODEL_SOURCES = {
    name: tracked(f"models/.sources/{name}", state)
    for name, value in ALL_MODELS.items()
    if (state := folder_state(value, RUN.registry)) is not None
}

export_commands(HOME, workflow.deployment_settings.deployment_method)

if workflow.is_main_process and not is_read_only(sys.argv):
    try:
        remove_stale_locks(Path.cwd(), lambda sentence: print(sentence, file=sys.stderr))
        record_driver(Path.cwd())
    except AudiogridError as error:
        raise WorkflowError(str(error))


def on_cluster():
    """Whether jobs run on other machines. Only functions of rules may ask: before, the executor is unknown."""
    if workflow.remote_exec:
        return True
    if workflow.dryrun or workflow.touch:
        # A dry run has no real executor. Runs on a cluster are started with a number of jobs instead of cores.
        return workflow.resource_settings.nodes is not None
    return not workflow.local_exec


wildcard_constraints:
    bundle=r"b\d+",
    shard=r"s\d+",
    model=r"[\w.-]+",
    condition=r"[\w.-]+",
    # A folder below the run's with the same files in it: empty for the run itself, /compare, /compare/<variant>.
    part=r"|/compare(?:/\w[\w.-]*)?",


def merge_settings_of(wildcards):
    """`RUN.merge_settings`, with the settings of speakers if any recording of the run has speakers."""
    return RUN.merge_settings(wildcards.part) if wildcards.part else merge_settings_for(the_plan())


def merge_settings_for(plan):
    """`RUN.merge_settings` of the run with this plan."""
    if not has_speakers(plan, SETTINGS["speakers"]):
        return RUN.merge_settings()
    return json.dumps(json.loads(RUN.merge_settings()) | {"speakers": SETTINGS["speakers"]}, sort_keys=True)


read_plan = PlanReader()


def the_plan():
    """The run's plan. While there is none, raises the exception that makes Snakemake run the checkpoint."""
    return read_plan(Path(checkpoints.make_plan.get().output.plan))


# Rules with the wildcard `part` serve the run and its comparison.
def plan_of(wildcards):
    """The plan that a job belongs to. Raises as `the_plan` does."""
    part = wildcards.get("part", "")
    if not part:
        return the_plan()
    checkpoints.compare_plan.get()
    return read_plan(Path(f"{RESULTS}{part}/plan.json"))


def folder_of(wildcards):
    """The folder that a job belongs to."""
    part = wildcards.get("part", "")
    return RunFolder(Path(f"{RESULTS}{part}"), FOLDER.compare.chunks) if part else FOLDER


def model_dir(name):
    """Folder of a model."""
    return f"models/{name}"


def staged(name):
    """The file that is written when a model is complete."""
    return f"{model_dir(name)}/audiogrid.json"


def model_of_shard(wildcards):
    """The staged model that a shard is decoded with."""
    return staged(plan_of(wildcards).shard[wildcards.shard].model)


_noted = []


def job_rates(model):
    """Rates of finished transcribe jobs. The main process computes them once; jobs inherit its environment."""
    if not _noted and (workflow.is_main_process or job_resources.RATE_VARIABLE not in os.environ):
        job_resources.export_job_rates([Path(model_dir(name)) for name in ALL_MODELS], Path("results"))
        _noted.append(True)
    return job_resources.exported_job_rates(model)


def shard_minutes(wildcards, threads, attempt):
    """Time limit of a transcribe job in minutes; 0 on this machine, where no scheduler ends jobs."""
    if not on_cluster():
        return 0
    shard = plan_of(wildcards).shard[wildcards.shard]
    return job_resources.transcribe_minutes(
        shard.audio // RUN.ranks,
        Path(model_dir(shard.model)),
        threads,
        job_rates(shard.model),
        SETTINGS["device"],
        shard.compute_type,
        attempt,
    )


def shard_memory(wildcards, threads, attempt):
    """Memory in MB of a transcribe job."""
    shard = plan_of(wildcards).shard[wildcards.shard]
    each = memory_of(ALL_MODELS[shard.model], RUN.registry, "cpu", shard.compute_type)
    return job_resources.transcribe_memory_mb(Path(model_dir(shard.model)), threads, attempt, each)


def shard_processes(wildcards, threads):
    """Decoding processes of a transcribe job; with 0 the command decides by the machine it runs on."""
    given = SETTINGS["workers"]["processes"]
    if given or not on_cluster():
        return given
    model = plan_of(wildcards).shard[wildcards.shard].model
    return job_resources.workers(Path(model_dir(model)), threads).processes


def bundle_minutes(wildcards, attempt):
    """Time limit of a split job in minutes."""
    plan = plan_of(wildcards)
    audio = sum(plan.recording[name].audio for name in plan.bundle[wildcards.bundle].recordings)
    return job_resources.split_minutes(audio, attempt)


def chunks_of_shard(wildcards):
    """Bundle folders that a shard reads."""
    folder = folder_of(wildcards)
    return [str(folder.chunks / bundle) for bundle in plan_of(wildcards).shard[wildcards.shard].bundles]


def reports_of_bundle(wildcards):
    """Reports of the shards that hold chunks of a bundle."""
    folder = folder_of(wildcards)
    return [str(folder.shards / f"{shard}.json") for shard in plan_of(wildcards).shards_of_bundle[wildcards.bundle]]


def voices_of_bundle(wildcards):
    """Reports of the `embed` jobs of a bundle and files with given turns; none without speakers."""
    plan = plan_of(wildcards)
    if wildcards.part:
        return []
    recordings = [plan.recording[name] for name in plan.bundle[wildcards.bundle].recordings]
    shards = plan.shards_of_bundle[wildcards.bundle]
    embedded = [shard for shard in shards if embedded_chunks(plan, shard, SETTINGS["speakers"])]
    return [
        *(str(FOLDER.voices / f"{shard}.json") for shard in embedded),
        *dict.fromkeys(given_turns(recording) for recording in recordings if given_turns(recording)),
    ]


def voices_spec(wildcards):
    """What an `embed` job works on: its chunks, and the audio that they are cut from."""
    plan = the_plan()
    chunks = embedded_chunks(plan, wildcards.shard, SETTINGS["speakers"])
    bundles = [plan.bundle[bundle].spec for bundle in plan.shard[wildcards.shard].bundles]
    return [CAMPPLUS.identity, *bundles, *chunks]


def embed_minutes(wildcards, threads, attempt):
    """Time limit of an `embed` job in minutes; 0 on this machine, where no scheduler ends jobs."""
    if not on_cluster():
        return 0
    audio = the_plan().shard[wildcards.shard].audio // RUN.ranks
    return job_resources.embed_minutes(audio, threads, attempt)


def merged_bundles(wildcards):
    """One file per bundle of the plan."""
    folder = folder_of(wildcards)
    return [str(folder.merged / f"{bundle.bundle}.json") for bundle in plan_of(wildcards).bundles]


def merged_variants(wildcards):
    """One file per bundle and variant of a comparison."""
    shared = FOLDER.compare
    checkpoints.compare_plan.get()
    bundles = [bundle.bundle for bundle in read_plan(shared.plan).bundles]
    return [str(shared.root / name / "merged" / f"{bundle}.json") for name in COMPARISON.variants for bundle in bundles]


def outstanding(wildcards):
    """A target that is out of date as long as recordings are rejected or results are not published."""
    the_plan()
    trouble = FOLDER.rejected.is_file() and len(FOLDER.rejected.read_text().splitlines()) > 1
    trouble = trouble or (PUBLISH and not is_published(FOLDER.root, PUBLISH))
    return [f"{RESULTS}/.state/outstanding"] if trouble else []


def quiet_terminal():
    """Hide Snakemake's scheduling messages on the terminal, except on a cluster, where they contain the ids of jobs."""
    if not on_cluster() and not workflow.output_settings.verbose:
        hide_scheduling(logger.handlers)


handlers.register(
    handlers.Run(
        folder=FOLDER,
        scripts=HOME / "scripts",
        settings=SETTINGS,
        merge_settings=lambda: (
            merge_settings_for(read_plan(FOLDER.plan)) if FOLDER.plan.is_file() else RUN.merge_settings()
        ),
        model_dirs=[Path(path) for path in MODEL_DIRS],
        publish=PUBLISH,
        argv=sys.argv,
        on_cluster=on_cluster,
        targets=lambda: workflow.dag_settings.targets,
        summarise=read_run_summary,
        warn=logger.warning,
        quiet_terminal=quiet_terminal,
        check_machine=lambda: check_machine(
            SETTINGS, workflow.executor_plugin.name, on_cluster(), set(workflow.dag_settings.targets), logger.warning
        ),
    )
)
if workflow.is_main_process and handlers.lacks_handlers(Path(workflow.main_snakefile), SNAKEFILE):
    logger.warning(
        "This Snakefile uses audiogrid as a module and lacks its handlers: after a failure complete recordings get no "
        "transcript, and rejected ones do not make the run fail. docs/projects.md has the lines to add."
    )
