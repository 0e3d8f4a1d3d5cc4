# Only with speakers, per shard: voice vectors of every chunk that is not in the store.
# INPUTS   chunks/<bundle>/ of the shard's bundles, the speaker networks
# OUTPUTS  voices/<shard>.json; the results themselves go to the store, which Snakemake never deletes


from audiogrid.transcribing.mpi_launch import is_mpi, mpi_resources, start_command


localrules:
    stage_speakers,
    link,


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
        # Chunk folders are temporary. `spec` changes when their contents change.
        chunks=ancient(chunks_of_shard),
        plan=ancient(f"{RESULTS}/plan.json"),
        model=ancient(staged(SPEAKERS_MODEL)),
    output:
        report=f"{RESULTS}/voices/{{shard}}.json",
    log:
        f"{RESULTS}/logs/embed/{{shard}}.log",
    # Higher than that of transcribe: chunks take space on disk until both are done.
    priority: 11
    conda:
        "../../environment.yml"
    threads: lambda wildcards: 4 if on_cluster() else workflow.cores
    resources:
        **mpi_resources(SETTINGS["mpi"]),
        # Paths change no text, so they are resources, which Snakemake does not track.
        run_dir=RESULTS,
        model_dir=model_dir(SPEAKERS_MODEL),
        store=SETTINGS["store"],
        # Which chunks are embedded is in `spec`; how many voices are looked for is no matter of this rule.
        speakers=json.dumps(SETTINGS["speakers"]),
        mem_mb=lambda wildcards, threads, attempt: job_resources.embed_memory_mb(threads, attempt),
        runtime=embed_minutes,
        # The following change speed and time limits, never results. Resources are not tracked.
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
        # `exec` replaces the shell, so that signals reach the worker itself and it can stop cleanly.
        'exec {resources.start} "$AUDIOGRID_SCRIPTS"/embed.py'
        " --run-dir={resources.run_dir:q}"
        " --shard={wildcards.shard}"
        " --store={resources.store:q}"
        " --model-dir={resources.model_dir:q}"
        " --speakers={resources.speakers:q}"
        " --cores={threads}"
        " --attempts={resources.attempts}"
        " --chunk-timeout-minutes={resources.chunk_timeout_minutes}"
        # The worker stops before its time limit, so that its last chunk is not lost. 0: no limit.
        " --minutes={resources.runtime}"
        " --allow-gaps={resources.allow_gaps}"
        " --mpi-tasks={resources.ranks}"
        " --mpi-silence-seconds={resources.silence_seconds}"
        " --output={output.report:q}"
        " --log={log:q}"


# Only with `speakers: {link: ...}`: which voices the recordings of the run have in common.
# INPUTS   voices/<shard>.json of all shards
# OUTPUTS  linked.json; voices.json, or the file that the configuration names, which belongs to the user
rule link:
    input:
        voices=voices_to_link,
        plan=ancient(f"{RESULTS}/plan.json"),
    output:
        linked=FOLDER.linked,
    log:
        f"{RESULTS}/logs/link.log",
    priority: 15
    conda:
        "../../environment.yml"
    resources:
        # Paths change no text, so they are resources, which Snakemake does not track.
        run_dir=RESULTS,
        store=SETTINGS["store"],
        allow_gaps="yes" if SETTINGS["allow_gaps"] else "no",
    params:
        # Which file is linked to changes what voices are called, and so do the numbers of speakers.
        speakers=json.dumps(SETTINGS["speakers"], sort_keys=True),
        counts=lambda wildcards: counts_given(the_plan()),
    message:
        "Linking the voices of all recordings."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/link.py'
        " --run-dir={resources.run_dir:q}"
        " --store={resources.store:q}"
        " --speakers={params.speakers:q}"
        " --allow-gaps={resources.allow_gaps}"
        " --output={output.linked:q}"
        " --log={log:q}"
