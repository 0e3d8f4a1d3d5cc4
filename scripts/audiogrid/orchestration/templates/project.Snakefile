# Made by `audiogrid init`. Runs the workflow of the installed package in this folder: results/, models/ and .snakemake/
# appear here. Add rules of your own below, for instance on results/<run>/transcripts/.
from audiogrid.orchestration import handlers
from audiogrid.orchestration.installation import workflow_home


configfile: "config/config.yaml"


module audiogrid:
    snakefile:
        str(workflow_home() / "workflow" / "Snakefile")
    config:
        config


use rule * from audiogrid


# Snakemake does not run the handlers of a module. These give complete recordings their transcripts after a failure, make
# a run with rejected recordings end with an error, and publish.
onstart:
    handlers.run_started()


onsuccess:
    handlers.run_succeeded()


onerror:
    handlers.run_failed()
