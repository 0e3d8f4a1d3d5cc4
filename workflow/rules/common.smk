# Settings, paths and the functions that rules use. The work itself lives in scripts/audiogrid/.
import json
import sys
from datetime import datetime
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

from audiogrid.aligning.glossary_file import read_glossary
from audiogrid.config import resolve as configuration
from audiogrid.config.as_written import as_written
from audiogrid.config.budget import parse_budget
from audiogrid.config.run_settings import RunSettings
from audiogrid.core.errors import AudiogridError
from audiogrid.corrections.tracking import CorrectedFiles
from audiogrid.decoding.revisions import REVISION, check_revisions
from audiogrid.embedding.embedders import CAMPPLUS, SPEAKERS_MODEL
from audiogrid.media.audio_tracks import parse_tracks
from audiogrid.models.registry import load_registry
from audiogrid.models.sources import folder_state
from audiogrid.orchestration import handlers
from audiogrid.orchestration.budget_watch import Limits
from audiogrid.orchestration.executor import lift_default_rate, runs_on_cluster
from audiogrid.orchestration.generations import merge_generation, shard_generation
from audiogrid.orchestration.installation import export_commands, home_of, project_file
from audiogrid.orchestration.outstanding import is_outstanding
from audiogrid.orchestration.snakemake_output import hide_scheduling, outlive_reader
from audiogrid.orchestration.stale_locks import is_read_only, record_driver, remove_stale_locks
from audiogrid.orchestration.targets import check_targets, check_until
from audiogrid.orchestration.tracked_files import tracked_file
from audiogrid.orchestration.working_folder import check_working_folder
from audiogrid.planning import job_resources
from audiogrid.planning.job_resources import JobResources
from audiogrid.planning.priorities import JobOrder
from audiogrid.probing.fingerprint import current_listing
from audiogrid.probing.probe_parts import PartSettings, ProbeParts
from audiogrid.records import job_inputs
from audiogrid.records.plan_files.lost_lines import drop_incomplete
from audiogrid.records.plan_files.reader import PlanReader
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import counts_given
from audiogrid.remote.publishing import publish_settings, target
from audiogrid.reporting.last_lines import read_run_summary
from audiogrid.reporting.spending import Spending
from audiogrid.transcribing.preflight import check_machine

if workflow.is_main_process:
    outlive_reader(logger.handlers)

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
    PUBLISHING = publish_settings(SETTINGS["publish"])
    PUBLISH = target(PUBLISHING.to, SETTINGS["run"]) if PUBLISHING.to else None
    # Folder name -> model as the configuration names it.
    ALL_MODELS = RUN.all_models
    # The model that identifies languages for routes.
    (IDENTIFYING_MODEL,) = RUN.identifying_model
    IDENTIFIES = RUN.identifies
    if workflow.is_main_process:
        check_until(sys.argv[1:], Path(RESULTS))
    if workflow.is_main_process and not is_read_only(sys.argv):
        check_working_folder(Path(RESULTS), SNAKEFILE)
        check_targets(sys.argv[1:], Path(RESULTS))
        # Before anything is listed or written: another driver may be at work here.
        remove_stale_locks(Path.cwd(), lambda sentence: print(sentence, file=sys.stderr))
        record_driver(Path.cwd())
    if workflow.is_main_process and SETTINGS["glossary"]:
        for remark in read_glossary(Path(SETTINGS["glossary"])).remarks:
            logger.warning(f"{SETTINGS['glossary']}, {remark}")
    # Only the main process lists the recordings. Jobs on other nodes read the plan.
    LISTING = (
        current_listing(
            SETTINGS["recordings"],
            SETTINGS["channels"],
            Path(RESULTS, ".state"),
            is_read_only=is_read_only(sys.argv),
            parts=PartSettings(
                SETTINGS["probing"]["files_per_job"], parse_tracks(SETTINGS["tracks"]), SETTINGS["language"]
            ),
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
    for path in (FOLDER.plan, FOLDER.compare.plan, *FOLDER.compare.root.glob("*/plan.json")):
        if drop_incomplete(path):
            logger.warning(f"{path} has lost its file of lines in .state/plan/: the plan is made anew.")


def on_cluster():
    """Whether jobs run on other machines. Only functions of rules may ask: before, the executor is unknown."""
    return runs_on_cluster(workflow)


def patience(wildcards):
    """Seconds for which a job waits for recordings that its node does not see yet as they were found here."""
    return workflow.execution_settings.latency_wait if on_cluster() else 0


wildcard_constraints:
    bundle=r"b\d+",
    shard=r"s\d+",
    model=r"[\w.-]+",
    condition=r"[\w.-]+",
    # A folder below the run's with the same files in it: empty for the run itself, /compare, /compare/<variant>.
    part=r"|/compare(?:/\w[\w.-]*)?",


read_plan = PlanReader()


def parts_to_probe(wildcards):
    """Facts of new files that jobs look at, where the listing has many."""
    return ProbeParts(Path(RESULTS, ".state")).outputs(LISTING if workflow.is_main_process else None)


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


def chunks_of_shard(wildcards):
    """Bundle folders that a shard reads."""
    return job_inputs.chunk_folders(folder_of(wildcards), plan_of(wildcards), wildcards.shard)


def reports_of_bundle(wildcards):
    """Reports of the shards that hold chunks of a bundle."""
    return job_inputs.shard_reports(folder_of(wildcards), plan_of(wildcards), wildcards.bundle)


def voices_of_bundle(wildcards):
    """What a bundle's speakers are known from; nothing in a comparison."""
    plan = plan_of(wildcards)
    return [] if wildcards.part else job_inputs.voice_files(FOLDER, plan, wildcards.bundle, SETTINGS["speakers"])


def voices_to_link(wildcards):
    """Reports of all `embed` jobs of the run."""
    return job_inputs.all_voices(FOLDER, the_plan(), SETTINGS["speakers"])


def links_of_bundle(wildcards):
    """What was found out about the voices of all recordings, where it concerns a bundle; nothing in a comparison."""
    plan = plan_of(wildcards)
    return [] if wildcards.part else job_inputs.links(FOLDER, plan, wildcards.bundle, SETTINGS["speakers"])


def voices_spec(wildcards):
    """What an `embed` job works on: its chunks, and the audio that they are cut from."""
    return job_inputs.voices_spec(the_plan(), wildcards.shard, SETTINGS["speakers"], CAMPPLUS.identity)


def decoded_for_texts(wildcards):
    """Reports of the shards in which a given text is looked for by an `align` job."""
    return job_inputs.decoded_reports(FOLDER, the_plan(), wildcards.shard)


def texts_of_shard(wildcards):
    """Texts that an `align` job holds against audio, and the glossary."""
    return job_inputs.texts_of_shard(the_plan(), wildcards.shard, SETTINGS["glossary"])


def aligned_spec(wildcards):
    """What an `align` job works on."""
    return job_inputs.aligned_spec(the_plan(), wildcards.shard, SETTINGS["word_times"], SETTINGS["glossary"])


def texts_of_bundle(wildcards):
    """What a bundle's given texts are timed by and its names judged by; nothing in a comparison."""
    if wildcards.part:
        return []
    return job_inputs.aligned_files(FOLDER, the_plan(), wildcards.bundle, SETTINGS["glossary"])


CORRECTIONS = CorrectedFiles(Path(SETTINGS["corrections"]))


def corrections_of_bundle(wildcards):
    """Files with corrections of a bundle's recordings; none in a comparison, which compares what models wrote."""
    return [] if wildcards.part else CORRECTIONS.of_bundle(the_plan(), wildcards.bundle)


def corrections_folder(wildcards):
    """The folder in which a `merge` job looks for corrections; none in a comparison."""
    return "" if wildcards.part else SETTINGS["corrections"]


def merge_settings_of(wildcards):
    """What shapes the transcripts of a bundle beyond their words."""
    settings = RUN.merge_settings(wildcards.part, None if wildcards.part else the_plan())
    return CORRECTIONS.tracked(settings, corrections_of_bundle(wildcards))


def merged_bundles(wildcards):
    """One file per bundle of the plan."""
    return job_inputs.merged_files(folder_of(wildcards), plan_of(wildcards))


def merged_variants(wildcards):
    """One file per bundle and variant of a comparison."""
    checkpoints.compare_plan.get()
    plan = read_plan(FOLDER.compare.plan)
    folders = [RunFolder(FOLDER.compare.root / name) for name in COMPARISON.variants]
    return [path for folder in folders for path in job_inputs.merged_files(folder, plan)]


REQUESTED = JobResources(RUN, on_cluster, is_main_process=workflow.is_main_process)


def shard_minutes(wildcards, threads, attempt):
    """Time limit of a transcribe job in minutes."""
    return REQUESTED.transcribe_minutes(plan_of(wildcards), wildcards.shard, threads, attempt)


def shard_memory(wildcards, threads, attempt):
    """Memory in MB of a transcribe job."""
    return REQUESTED.transcribe_memory_mb(plan_of(wildcards), wildcards.shard, threads, attempt)


def shard_processes(wildcards, threads):
    """Decoding processes of a transcribe job."""
    return REQUESTED.transcribe_processes(plan_of(wildcards), wildcards.shard, threads)


# The stage `align` runs the model of its shard, so it is given what a transcribe job is given.
def model_of_shard_of_run(wildcards):
    """The staged model that a shard of the run is aligned with."""
    return staged(the_plan().shard[wildcards.shard].model)


def aligned_minutes(wildcards, threads, attempt):
    """Time limit of an `align` job in minutes."""
    return REQUESTED.transcribe_minutes(the_plan(), wildcards.shard, threads, attempt)


def aligned_memory(wildcards, threads, attempt):
    """Memory in MB of an `align` job."""
    return REQUESTED.transcribe_memory_mb(the_plan(), wildcards.shard, threads, attempt)


def aligned_processes(wildcards, threads):
    """Processes of an `align` job."""
    return REQUESTED.transcribe_processes(the_plan(), wildcards.shard, threads)


def embed_minutes(wildcards, threads, attempt):
    """Time limit of an `embed` job in minutes."""
    return REQUESTED.embed_minutes(the_plan(), wildcards.shard, threads, attempt)


def bundle_minutes(wildcards, attempt):
    """Time limit of a split job in minutes."""
    return REQUESTED.split_minutes(plan_of(wildcards), wildcards.bundle, attempt)


def outstanding(wildcards):
    """A target that is out of date as long as recordings are rejected or results are not published."""
    the_plan()
    return [f"{RESULTS}/.state/outstanding"] if is_outstanding(FOLDER, PUBLISH, PUBLISHING) else []


ORDER = {}


def job_order(wildcards):
    """The order of the run's jobs, by the priorities of its recordings; none in a comparison, or on a node."""
    if not workflow.is_main_process or wildcards.get("part") or not FOLDER.plan.is_file():
        return None
    plan = read_plan(FOLDER.plan)
    if ORDER.get("of") is not plan:
        ORDER.update(of=plan, order=JobOrder(plan))
    return ORDER["order"]


def bundle_order(wildcards):
    """A number between 0 and 1: bundles that are listened to first come first."""
    order = job_order(wildcards)
    return order.of_bundle(wildcards.bundle) if order else 0


def shard_order(wildcards):
    """The same for the jobs of a shard."""
    order = job_order(wildcards)
    return order.of_shard(wildcards.shard) if order else 0


def quiet_terminal():
    """Hide Snakemake's scheduling messages on the terminal, except on a cluster, where they contain the ids of jobs."""
    if not on_cluster() and not workflow.output_settings.verbose:
        hide_scheduling(logger.handlers)


def budget_limits():
    """What this call may spend, or None."""
    budget = parse_budget(SETTINGS)
    until = budget.deadline(datetime.now().astimezone())
    return Limits(budget.core_hours, budget.gpu_hours, until) if budget.is_limited else None


handlers.register(
    handlers.Run(
        folder=FOLDER,
        scripts=HOME / "scripts",
        settings=SETTINGS,
        merge_settings=lambda: RUN.merge_settings("", read_plan(FOLDER.plan) if FOLDER.plan.is_file() else None),
        model_dirs=[Path(path) for path in MODEL_DIRS],
        publish=PUBLISH,
        argv=sys.argv,
        on_cluster=on_cluster,
        targets=lambda: workflow.dag_settings.targets,
        summarise=read_run_summary,
        warn=logger.warning,
        quiet_terminal=quiet_terminal,
        lift_rate=lambda: lift_default_rate(workflow.scheduler),
        limits=budget_limits,
        spending=lambda: Spending(FOLDER).used,
        check_machine=lambda: check_machine(
            SETTINGS,
            workflow.executor_plugin.name,
            on_cluster(),
            set(workflow.dag_settings.targets),
            logger.warning,
            ALL_MODELS,
        ),
    )
)
if workflow.is_main_process and handlers.lacks_handlers(Path(workflow.main_snakefile), SNAKEFILE):
    logger.warning(
        "This Snakefile uses audiogrid as a module and lacks its handlers: after a failure complete recordings get no "
        "transcript, and rejected ones do not make the run fail. docs/projects.md has the lines to add."
    )
