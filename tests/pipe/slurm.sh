# A SLURM of one node for a test, sourced behind tests/cli/lib.sh: daemons, ports, keys and folders of its own, so it knows nothing of
# a cluster this machine may be part of, and nothing of it stays.
#
#   slurm_missing && skip_all "$slurm_why"
#   slurm_up || …                    # then sbatch, scancel, squeue, scontrol talk to it
#   slurm_down                       # also at exit
#
# Partitions: low (default; a job there is preempted with 60 s of grace, and goes back to the queue), high. Four CPUs, whatever there are.

slurm_missing() {
	PATH=$PATH:/usr/sbin:/sbin
	slurm_why=
	for c in munged slurmctld slurmd sbatch srun scancel squeue scontrol perl; do
		have $c || slurm_why="no $c (Debian: slurm-wlm, munge)"
	done
	[ "$(id -u)" = 0 ] || slurm_why='the daemons of SLURM need root'
	[ -n "$slurm_why" ]
}

# two ports that are free now
free_ports() {
	perl -MIO::Socket::INET -e 'my @s = map { IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die } 1 .. 2; print join(" ", map { $_->sockport } @s), "\n"'
}

slurm_up() {
	slurm=$T/slurm
	chmod 755 "$T" # clients must be able to reach the socket
	mkdir -p $slurm/munge $slurm/spool $slurm/state
	chmod 755 $slurm $slurm/munge
	set -- $(free_ports) "$(uname -n | cut -d. -f1)"
	cat >$slurm/slurm.conf <<-E
		ClusterName=glovita
		SlurmctldHost=$3(127.0.0.1)
		SlurmUser=root
		AuthType=auth/munge
		AuthInfo=socket=$slurm/munge/socket
		SlurmctldPort=$1
		SlurmdPort=$2
		SlurmctldPidFile=$slurm/slurmctld.pid
		SlurmdPidFile=$slurm/slurmd.pid
		SlurmctldLogFile=$slurm/slurmctld.log
		SlurmdLogFile=$slurm/slurmd.log
		SlurmdSpoolDir=$slurm/spool
		StateSaveLocation=$slurm/state
		SlurmdParameters=config_overrides
		SchedulerParameters=batch_sched_delay=0,sched_interval=1
		MpiDefault=none
		SwitchType=switch/none
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core
		JobAcctGatherType=jobacct_gather/none
		AccountingStorageType=accounting_storage/none
		PreemptType=preempt/partition_prio
		PreemptMode=REQUEUE
		ReturnToService=2
		KillWait=30
		NodeName=$3 NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
		PartitionName=low Nodes=ALL Default=YES State=UP PriorityTier=1 GraceTime=60 PreemptMode=REQUEUE
		PartitionName=high Nodes=ALL State=UP PriorityTier=2 PreemptMode=OFF
	E
	case $(slurmd -V) in *' 2'[0-2].* | *' 23.02'*) ;; *) echo CgroupPlugin=disabled >$slurm/cgroup.conf ;; esac # later ones look for cgroups unasked
	unset $(env | sed -n 's/^\(S[A-Z]*_[A-Z0-9_]*\)=.*/\1/p' | grep -E '^(SLURM|SBATCH|SRUN|SCANCEL|SQUEUE|SINFO)_') SLURM_CONF # of a job that this test may run in
	SLURM_CONF=$slurm/slurm.conf
	export SLURM_CONF
	(umask 077 && head -c 1024 /dev/urandom >$slurm/munge/key)
	munged --force --key-file=$slurm/munge/key --socket=$slurm/munge/socket --pid-file=$slurm/munge/pid --log-file=$slurm/munge/log --seed-file=$slurm/munge/seed 2>$slurm/munge/said &&
		slurmctld -c -f "$SLURM_CONF" 2>>$slurm/said && slurmd -f "$SLURM_CONF" 2>>$slurm/said && within 30 node_idle && return 0
	tail -n 5 $slurm/said $slurm/munge/said $slurm/*.log
	return 1
}
node_idle() { [ "$(sinfo -h -o %T 2>/dev/null | sort -u)" = idle ]; }

# Processes whose command or environment is of this test's SLURM, zombies left out.
slurm_processes() {
	for p in /proc/[0-9]*; do
		[ "${p#/proc/}" != $$ ] && { tr '\0' '\n' <"$p/cmdline" | grep -q "$T/slurm" || tr '\0' '\n' <"$p/environ" | grep -q "^SLURM_CONF=$T/slurm"; } 2>/dev/null &&
			grep -q '^State:.[^Z]' "$p/status" 2>/dev/null && [ "$(awk '/^PPid/ { print $2 }' "$p/status")" != $$ ] && echo "${p#/proc/}"
	done
}
slurm_down() {
	[ -n "${slurm-}" ] || return 0
	scancel -f --user=root >/dev/null 2>&1
	within 20 node_idle
	scontrol shutdown >/dev/null 2>&1
	[ ! -s $slurm/munge/pid ] || kill "$(cat $slurm/munge/pid)" 2>/dev/null
	within 15 [ ! -e $slurm/slurmctld.pid ]
	for f in slurmctld slurmd; do [ ! -s $slurm/$f.pid ] || kill -9 "$(cat $slurm/$f.pid)" 2>/dev/null; done
	slurm=
}
trap 'slurm_down; cd /; chmod -R u+w "$T" 2>/dev/null; rm -rf "$T"' EXIT

# submit SBATCH-WORDS…: its number into $job
submit() { job=$(sbatch --parsable "$@"); }
# field JOB KEY: of what scontrol shows of a job (of an array's task: JOB_TASK)
field() { scontrol -o show job "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"; }
state() { [ "$(field "$1" JobState)" = "$2" ]; } # state JOB STATE
ended() { case $(field "$1" JobState) in COMPLETED | FAILED | CANCELLED | TIMEOUT) ;; *) false ;; esac }
# The two minutes that SLURM lets a requeued job wait are over: but for the second that its credentials need to be told apart. Asked again
# until it is so: what is left of the job before may set them anew.
release() {
	within 30 state "$1" PENDING && sleep 1.2 && for _ in 1 2 3 4 5 6 7 8 9 10; do
		scontrol update "JobId=$1" StartTime=now 2>/dev/null
		within 3 left "$1" && return 0
	done
	scontrol show job "$1"
	return 1
}
left() { ! state "$1" PENDING; }
