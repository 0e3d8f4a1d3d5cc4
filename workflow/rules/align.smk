# Only with given texts or a glossary, per shard: the words of the texts are timed, those that were heard as written
# excepted, and what sounds like a term is judged.
# INPUTS   chunks/<bundle>/ of the shard's bundles, the reports of all shards of its recordings, the texts,
#          the glossary, the model
# OUTPUTS  aligned/<shard>.json; the results themselves go to the store, which Snakemake never deletes
from audiogrid.transcribing.mpi_launch import is_mpi, mpi_resources, start_command


rule align:
    input:
        # Chunk folders are temporary. `spec` changes when their contents change.
        chunks=ancient(chunks_of_shard),
        reports=decoded_for_texts,
        texts=texts_of_shard,
        plan=ancient(f"{RESULTS}/plan.json"),
        model=ancient(model_of_shard_of_run),
    output:
        report=f"{RESULTS}/aligned/{{shard}}.json",
    log:
        f"{RESULTS}/logs/align/{{shard}}.log",
    # Higher than that of transcribe: chunks take space on disk until all stages are done.
    priority: 12
    conda:
        "../../environment.yml"
    threads: lambda wildcards: 4 if on_cluster() else workflow.cores
    resources:
        **mpi_resources(SETTINGS["mpi"]),
        # Paths change no text, so they are resources, which Snakemake does not track.
        run_dir=RESULTS,
        model_dir=lambda wildcards: model_dir(the_plan().shard[wildcards.shard].model),
        store=SETTINGS["store"],
        mem_mb=aligned_memory,
        glossary=SETTINGS["glossary"],
        # Aligning takes a fraction of the time of decoding.
        runtime=aligned_minutes,
        processes=aligned_processes,
        # The following change speed and time limits, never text. Resources are not tracked.
        device=SETTINGS["device"],
        compute_type=lambda wildcards: the_plan().shard[wildcards.shard].compute_type,
        processes_per_gpu=SETTINGS["workers"]["processes_per_gpu"],
        worker_threads=SETTINGS["workers"]["threads"],
        attempts=SETTINGS["workers"]["attempts"],
        chunk_timeout_minutes=str(SETTINGS["workers"]["chunk_timeout_minutes"]),
        examine=lambda wildcards: "yes" if on_cluster() else "no",
        allow_gaps="yes" if SETTINGS["allow_gaps"] else "no",
        start=lambda wildcards, threads: start_command(SETTINGS["mpi"], threads, on_cluster()),
        ranks=SETTINGS["mpi"]["tasks"] if is_mpi(SETTINGS["mpi"]) else 0,
        silence_seconds=str(SETTINGS["mpi"]["silence_seconds"]),
    params:
        spec=aligned_spec,
        word_times=SETTINGS["word_times"],
    message:
        "Aligning the texts of shard {wildcards.shard}."
    shell:
        # `exec` replaces the shell, so that signals reach the worker itself and it can stop cleanly.
        'exec {resources.start} "$AUDIOGRID_SCRIPTS"/align.py'
        " --run-dir={resources.run_dir:q}"
        " --shard={wildcards.shard}"
        " --store={resources.store:q}"
        " --model-dir={resources.model_dir:q}"
        " --word-times={params.word_times}"
        " --glossary={resources.glossary:q}"
        " --device={resources.device}"
        " --compute-type={resources.compute_type}"
        " --cores={threads}"
        " --processes={resources.processes}"
        " --processes-per-gpu={resources.processes_per_gpu}"
        " --threads={resources.worker_threads}"
        " --attempts={resources.attempts}"
        " --chunk-timeout-minutes={resources.chunk_timeout_minutes}"
        # The worker stops before its time limit, so that its last chunk is not lost. 0: no limit.
        " --minutes={resources.runtime}"
        " --examine={resources.examine}"
        " --allow-gaps={resources.allow_gaps}"
        " --mpi-tasks={resources.ranks}"
        " --mpi-silence-seconds={resources.silence_seconds}"
        " --output={output.report:q}"
        " --log={log:q}"
