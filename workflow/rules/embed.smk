# Only with speakers, per shard: voice vectors of every chunk that is not in the store.
# INPUTS   chunks/<bundle>/ of the shard's bundles, the speaker networks
# OUTPUTS  voices/<shard>.json; the results themselves go to the store, which Snakemake never deletes


from audiogrid.transcribing.mpi_launch import is_mpi, mpi_resources, start_command


localrules:
    stage_speakers,


# Both make files of this name.
ruleorder: stage_speakers > stage_model


rule stage_speakers:
    output:
        staged(SPEAKERS_MODEL),
    log:
        f"{RESULTS}/logs/stage_speakers.log",
    conda:
        "../../environment.yml"
    message:
        "Staging the speaker networks."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/stage_speakers.py'
        " --models-dir=models"
        " > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


rule embed:
    input:
        # Chunk folders come and go; `spec` says whether what is in them is still the same.
        chunks=ancient(chunks_of_shard),
        plan=ancient(f"{RESULTS}/plan.json"),
        model=ancient(staged(SPEAKERS_MODEL)),
    output:
        report=f"{RESULTS}/voices/{{shard}}.json",
    log:
        f"{RESULTS}/logs/embed/{{shard}}.log",
    # Before `transcribe`: what is split takes space until both are done.
    priority: 11
    conda:
        "../../environment.yml"
    threads: lambda wildcards: 4 if on_cluster() else workflow.cores
    resources:
        **mpi_resources(SETTINGS["mpi"]),
        # Where things lie changes no text, so it is no parameter.
        run_dir=RESULTS,
        model_dir=model_dir(SPEAKERS_MODEL),
        store=SETTINGS["store"],
        # Which chunks are embedded is in `spec`; how many voices are looked for is no matter of this rule.
        speakers=json.dumps(SETTINGS["speakers"]),
        mem_mb=lambda wildcards, threads, attempt: job_resources.embed_memory_mb(threads, attempt),
        runtime=embed_minutes,
        # What follows changes speed and patience, never results: as resources these are not tracked.
        attempts=SETTINGS["workers"]["attempts"],
        chunk_timeout_minutes=str(SETTINGS["workers"]["chunk_timeout_minutes"]),
        allow_gaps="yes" if SETTINGS["allow_gaps"] else "no",
        start=lambda wildcards, threads: start_command(SETTINGS["mpi"], threads, on_cluster()),
        ranks=SETTINGS["mpi"]["tasks"] if is_mpi(SETTINGS["mpi"]) else 0,
        silence_seconds=str(SETTINGS["mpi"]["silence_seconds"]),
    params:
        spec=voices_spec,
    message:
        "Embedding the voices of shard {wildcards.shard}."
    shell:
        # `exec`: signals reach the worker itself, which then stops in good order.
        'exec {resources.start} "$AUDIOGRID_SCRIPTS"/embed.py'
        " --run-dir={resources.run_dir:q}"
        " --shard={wildcards.shard}"
        " --store={resources.store:q}"
        " --model-dir={resources.model_dir:q}"
        " --speakers={resources.speakers:q}"
        " --cores={threads}"
        " --attempts={resources.attempts}"
        " --chunk-timeout-minutes={resources.chunk_timeout_minutes}"
        # The worker stops in time, so that what it is at is not lost. 0: nothing ends it.
        " --minutes={resources.runtime}"
        " --allow-gaps={resources.allow_gaps}"
        " --mpi-tasks={resources.ranks}"
        " --mpi-silence-seconds={resources.silence_seconds}"
        " --output={output.report:q}"
        " --log={log:q}"
