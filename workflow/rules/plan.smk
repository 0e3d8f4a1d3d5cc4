# The one checkpoint: chunks per recording, bundles, shards.
# INPUTS   probe.json, the staged model
# OUTPUTS  plan.json


localrules:
    make_plan,
    plan,


checkpoint make_plan:
    input:
        probe=f"{RESULTS}/probe.json",
        model=MODEL,
    output:
        plan=f"{RESULTS}/plan.json",
    params:
        settings=plan_settings(),
    log:
        f"{RESULTS}/logs/plan.log",
    message:
        "Planning chunks, bundles and shards."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/plan.py"
        " --run-dir={RESULTS:q}"
        " --model-dir={MODEL_DIR:q}"
        " --settings={params.settings:q}"
        " --log={log:q}"


rule plan:
    # `snakemake plan`: what will be done; nothing is decoded.
    input:
        plan=f"{RESULTS}/plan.json",
    message:
        "What will be done."
    shell:
        "{PYTHON:q} {SCRIPTS:q}/plan.py"
        " --show"
        " --run-dir={RESULTS:q}"
        " --model-dir={MODEL_DIR:q}"
