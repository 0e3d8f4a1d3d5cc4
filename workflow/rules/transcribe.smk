# Per shard: every chunk that is not in the store is decoded into it.
# INPUTS   chunks/<bundle>/ of the shard's bundles, the model
# OUTPUTS  shards/<shard>.json; the results themselves go to the store, which Snakemake never deletes


def chunks_of_shard(wildcards):
    """Bundle folders that a shard reads."""
    return [f"{RESULTS}/chunks/{bundle}" for bundle in the_plan().shard[wildcards.shard].bundles]


rule transcribe:
    input:
        # Chunk folders come and go; `spec` says whether what is in them is still the same.
        chunks=ancient(chunks_of_shard),
        plan=ancient(f"{RESULTS}/plan.json"),
        model=ancient(MODEL),
    output:
        report=f"{RESULTS}/shards/{{shard}}.json",
    params:
        spec=lambda wildcards: the_plan().shard[wildcards.shard].spec,
        generation=lambda wildcards: shard_generation(FOLDER, wildcards.shard),
    threads: workflow.cores or 4
    # Before another split: what is split takes space until it is transcribed.
    priority: 10
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    log:
        f"{RESULTS}/logs/transcribe/{{shard}}.log",
    message:
        "Transcribing shard {wildcards.shard}."
    shell:
        # `exec`: signals reach the worker itself, which then stops in good order.
        "exec {PYTHON:q} {SCRIPTS:q}/transcribe.py"
        " --run-dir={RESULTS:q}"
        " --shard={wildcards.shard}"
        " --store={SETTINGS[store]:q}"
        " --model-dir={MODEL_DIR:q}"
        " --device={SETTINGS[device]}"
        " --compute-type={SETTINGS[compute_type]}"
        " --cores={threads}"
        " --processes={SETTINGS[workers][processes]}"
        " --threads={SETTINGS[workers][threads]}"
        " --batch-size={SETTINGS[workers][batch_size]}"
        " --attempts={SETTINGS[workers][attempts]}"
        " --chunk-timeout-minutes={SETTINGS[workers][chunk_timeout_minutes]}"
        " {ALLOW_GAPS}"
        " --generation={params.generation}"
        " --output={output.report:q}"
        " --log={log:q}"
