# The one checkpoint: chunks per recording, bundles, shards.
# INPUTS   probe.json, languages.json where languages were identified, the staged models
# OUTPUTS  plan.json, rejected.tsv


localrules:
    make_plan,
    plan,


checkpoint make_plan:
    input:
        probe=f"{RESULTS}/probe.json",
        languages=[f"{RESULTS}/languages.json"] if IDENTIFIES else [],
        models=[staged(model) for model in RUN.models],
    output:
        plan=f"{RESULTS}/plan.json",
        rejected=f"{RESULTS}/rejected.tsv",
    log:
        f"{RESULTS}/logs/plan.log",
    conda:
        "../../environment.yml"
    resources:
        # Paths change no text, so they are resources, which Snakemake does not track.
        run_dir=RESULTS,
    params:
        settings=lambda wildcards: RUN.plan_settings(REVISION, on_cluster=on_cluster()),
        model_dirs=MODEL_DIRS,
        # Times alone do not tell that probe.json is newer: a clock may have been put back since the last plan.
        listing=LISTING,
    message:
        "Planning chunks, bundles and shards."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/plan.py'
        " --run-dir={resources.run_dir:q}"
        " --model-dir {params.model_dirs:q}"
        " --languages {input.languages:q}"
        " --rejected={output.rejected:q}"
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
        # Paths change no text, so they are resources, which Snakemake does not track.
        run_dir=RESULTS,
        store=SETTINGS["store"],
        accept_revisions=json.dumps(SETTINGS["accept_revisions"]),
        speakers=json.dumps(SETTINGS["speakers"]),
        budget=json.dumps(SETTINGS["budget"]),
    params:
        model_dirs=MODEL_DIRS,
        prices=json.dumps(SETTINGS["prices"]),
    message:
        "What will be done."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/plan.py'
        " --show"
        " --store={resources.store:q}"
        " --accept-revisions={resources.accept_revisions:q}"
        " --speakers={resources.speakers:q}"
        " --budget={resources.budget:q}"
        " --prices={params.prices:q}"
        " --run-dir={resources.run_dir:q}"
        " --model-dir {params.model_dirs:q}"
        " | tee {log:q}"
