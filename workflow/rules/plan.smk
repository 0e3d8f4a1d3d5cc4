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
    log:
        f"{RESULTS}/logs/plan.log",
    conda:
        "../../environment.yml"
    resources:
        # Where things lie changes no text, so it is no parameter.
        run_dir=RESULTS,
        model_dir=MODEL_DIR,
    params:
        settings=lambda wildcards: plan_settings(),
    message:
        "Planning chunks, bundles and shards."
    shell:
        "python scripts/plan.py"
        " --run-dir={resources.run_dir:q}"
        " --model-dir={resources.model_dir:q}"
        " --settings={params.settings:q}"
        " --log={log:q}"


rule plan:
    # `snakemake plan`: what will be done; nothing is decoded.
    input:
        plan=f"{RESULTS}/plan.json",
    log:
        f"{RESULTS}/logs/plan.txt",
    conda:
        "../../environment.yml"
    resources:
        # Where things lie changes no text, so it is no parameter.
        run_dir=RESULTS,
        model_dir=MODEL_DIR,
    message:
        "What will be done."
    shell:
        "python scripts/plan.py"
        " --show"
        " --run-dir={resources.run_dir:q}"
        " --model-dir={resources.model_dir:q}"
        " | tee {log:q}"
