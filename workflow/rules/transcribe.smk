# Per shard: every chunk that is not in the store is decoded into it.
# INPUTS   chunks/<bundle>/ of the shard's bundles, the model
# OUTPUTS  shards/<shard>.json; the results themselves go to the store, which Snakemake never deletes
from audiogrid.transcribing.mpi_launch import is_mpi, mpi_resources, start_command


rule transcribe:
    input:
        # Chunk folders are temporary. `spec` changes when their contents change.
        chunks=ancient(chunks_of_shard),
        plan=ancient(f"{RESULTS}{{part}}/plan.json"),
        model=ancient(model_of_shard),
    output:
        report=f"{RESULTS}{{part}}/shards/{{shard}}.json",
    log:
        f"{RESULTS}{{part}}/logs/transcribe/{{shard}}.log",
    # Higher than that of split: chunks take space on disk until they are transcribed.
    priority: lambda wildcards: 10 + shard_order(wildcards)
    conda:
        "../../environment.yml"
    # A job sees all cores of its node. The profile says how many it may use.
    threads: lambda wildcards: 4 if on_cluster() else workflow.cores
    resources:
        **mpi_resources(SETTINGS["mpi"]),
        # Paths change no text, so they are resources, which Snakemake does not track.
        run_dir=lambda wildcards: str(folder_of(wildcards).root),
        chunks_dir=lambda wildcards: str(folder_of(wildcards).chunks),
        model_dir=lambda wildcards: model_dir(plan_of(wildcards).shard[wildcards.shard].model),
        store=SETTINGS["store"],
        accept_revisions=json.dumps(SETTINGS["accept_revisions"]),
        mem_mb=shard_memory,
        runtime=shard_minutes,
        # Not a limited resource: the number of decoding processes that share the job's cores.
        processes=shard_processes,
        # The following change speed and time limits, never text. Resources are not tracked.
        device=SETTINGS["device"],
        compute_type=lambda wildcards: plan_of(wildcards).shard[wildcards.shard].compute_type,
        processes_per_gpu=SETTINGS["workers"]["processes_per_gpu"],
        worker_threads=SETTINGS["workers"]["threads"],
        batch_size=SETTINGS["workers"]["batch_size"],
        attempts=SETTINGS["workers"]["attempts"],
        chunk_timeout_minutes=str(SETTINGS["workers"]["chunk_timeout_minutes"]),
        # On a cluster, first decode a clip whose text is known, to notice a broken GPU or driver.
        examine=lambda wildcards: "yes" if on_cluster() else "no",
        allow_gaps="yes" if SETTINGS["allow_gaps"] else "no",
        start=lambda wildcards, threads: start_command(SETTINGS["mpi"], threads, on_cluster()),
        ranks=SETTINGS["mpi"]["tasks"] if is_mpi(SETTINGS["mpi"]) else 0,
        silence_seconds=str(SETTINGS["mpi"]["silence_seconds"]),
    params:
        spec=lambda wildcards: plan_of(wildcards).shard[wildcards.shard].spec,
        generation=lambda wildcards: shard_generation(folder_of(wildcards), wildcards.shard),
    message:
        "Transcribing shard {wildcards.shard}{wildcards.part}."
    shell:
        # `exec` replaces the shell, so that signals reach the worker itself and it can stop cleanly.
        'exec {resources.start} "$AUDIOGRID_SCRIPTS"/transcribe.py'
        " --run-dir={resources.run_dir:q}"
        " --chunks-dir={resources.chunks_dir:q}"
        " --shard={wildcards.shard}"
        " --store={resources.store:q}"
        " --accept-revisions={resources.accept_revisions:q}"
        " --model-dir={resources.model_dir:q}"
        " --device={resources.device}"
        " --compute-type={resources.compute_type}"
        " --cores={threads}"
        " --processes={resources.processes}"
        " --processes-per-gpu={resources.processes_per_gpu}"
        " --threads={resources.worker_threads}"
        " --batch-size={resources.batch_size}"
        " --attempts={resources.attempts}"
        " --chunk-timeout-minutes={resources.chunk_timeout_minutes}"
        # The worker stops before its time limit, so that its last chunk is not lost. 0: no limit.
        " --minutes={resources.runtime}"
        " --examine={resources.examine}"
        " --allow-gaps={resources.allow_gaps}"
        " --mpi-tasks={resources.ranks}"
        " --mpi-silence-seconds={resources.silence_seconds}"
        " --generation={params.generation}"
        " --output={output.report:q}"
        " --log={log:q}"
