package node

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
)

// start brings the node up, one straight line: whatever is started is followed
// by its stop, and unwind runs the stops backwards. Nothing is served before
// all that can fail has been done.
func (n *Node) start() error {
	cfg, err := n.opts.load()
	if err != nil {
		return err
	}
	n.cfg = cfg

	account, err := n.ownAccount(cfg)
	if err != nil {
		return err
	}
	log, echoes, err := openMainLog(n.logs, cfg)
	if err != nil {
		return err
	}
	if err := n.journal.replace(log, echoes); err != nil {
		return err
	}
	n.journal.remarks(cfg, false)
	n.recordCrashes(cfg)

	if n.opts.Profile != "" {
		profile, err := serveProfile(n.opts.Profile)
		if err != nil {
			return err
		}
		n.onStop("stopping the profile server", profile.Close)
	}
	if err := n.ownProcess(cfg); err != nil {
		return err
	}

	// What agreement stands on takes the rights of the start.
	n.ground, err = openGround(cfg, account)
	if err != nil {
		return err
	}
	n.onStop("closing the data folder", n.ground.close)

	n.balancer, err = n.opts.NewBalancer(BalancerOptions{Logs: n.logs, Log: n.journal.logger(), Version: n.opts.Version, Clustered: cfg.Cluster != nil})
	if err != nil {
		return err
	}
	n.onStop("stopping the balancer", n.balancer.Close)

	// Every socket listens and every file is open after this.
	generation, err := n.balancer.Prepare(cfg)
	if err != nil {
		return err
	}
	err = n.giveFiles(account)
	if err == nil {
		err = n.announcePID()
	}
	if err == nil {
		err = n.assumeAccount(account)
	}
	if err == nil {
		err = n.enterCluster()
	}
	if err == nil {
		err = n.openControl()
	}
	if err != nil {
		generation.Discard()
		return err
	}

	generation.Start()
	n.generation = 1
	n.cluster.configure(cfg)
	n.serveControl()
	n.journal.logf(errorlog.Notice, "weir/%s, built with %s, %d CPUs", n.opts.Version, runtime.Version(), runtime.GOMAXPROCS(0))
	return nil
}

// enterCluster starts what the node shares with others, and waits for none of
// them. It has been told the balancer what was agreed on last when it returns.
func (n *Node) enterCluster() error {
	f := feedOf(n.balancer)
	if f == nil {
		return nil
	}
	var err error
	n.cluster, err = openCluster(clusterOptions{
		ground: n.ground, feed: f, log: n.journal.logger(), names: net.DefaultResolver, check: n.opts.checkStore,
	})
	if err != nil {
		return err
	}
	n.onStop("leaving the other nodes", n.cluster.close)
	return nil
}

// onStop has unwind call run.
func (n *Node) onStop(name string, run func() error) {
	n.stops = append(n.stops, stop{name, run})
}

// ownAccount gives the account to turn into, nil for none.
func (n *Node) ownAccount(cfg *config.Config) (*account, error) {
	if !n.opts.OwnProcess {
		return nil, nil
	}
	return checkUser(cfg, os.Geteuid(), n.journal)
}

// ownProcess applies what a configuration says of the process as a whole and
// only counts at its start.
func (n *Node) ownProcess(cfg *config.Config) error {
	if !n.opts.OwnProcess {
		return nil
	}
	tuneMemory()
	n.watchMemory()
	n.applyLimits(cfg)
	return setEnvironment(cfg.Env)
}

// applyLimits applies what a reload may change of the process. As in nginx, a
// limit that the system refuses does not stop anything.
func (n *Node) applyLimits(cfg *config.Config) {
	if !n.opts.OwnProcess {
		return
	}
	setProcessors(cfg.WorkerProcesses)
	if err := setFileLimit(cfg.WorkerRlimitNofile); err != nil {
		n.journal.logf(errorlog.Alert, "%s", err)
	}
}

// announcePID writes the pid file; whoever sees it may send signals.
func (n *Node) announcePID() error {
	n.pidFile = n.pidPath(n.cfg)
	n.opts.Announcing()
	if n.pidFile != "" {
		if err := writePID(n.pidFile, os.Getpid()); err != nil {
			return err
		}
	}
	n.onStop("removing the pid file", n.cleanUp)
	return nil
}

// giveFiles gives a the files that are opened again later, as long as the
// process may. It does so before the pid file appears, so that nobody who has
// waited for that finds one that belongs to another.
func (n *Node) giveFiles(a *account) error {
	if a == nil {
		return nil
	}
	caches := cachePaths(n.cfg)
	for _, path := range caches {
		_ = os.Mkdir(path, 0o700) // what is there is taken; what cannot be made, the cache tells when it starts
	}
	if err := n.ground.own(a); err != nil {
		return err
	}
	for _, path := range slices.Concat(n.logs.Paths(), tempPaths(n.cfg), caches) {
		if err := a.own(path, false); err != nil {
			return err
		}
	}
	return nil
}

// assumeAccount turns the process into a. A keeper is left to clean up at the
// end, with the rights of before.
func (n *Node) assumeAccount(a *account) error {
	if a == nil {
		return nil
	}
	if n.opts.Keeper != nil {
		k, err := startKeeper(n.opts.Keeper, newKeeperTask(n.cfg, n.pidFile, a))
		if err != nil {
			return fmt.Errorf("starting the keeper: %w", err)
		}
		n.keeper = k
	}
	kept, err := a.become()
	if err != nil {
		return err
	}
	if kept != nil {
		n.journal.logf(errorlog.Warn, "a reload will not be able to bind ports below 1024: %s", kept)
	}
	n.account = a
	return nil
}

// pidPath gives the path of the pid file of cfg. A node that does not own its
// process only writes one that is asked for.
func (n *Node) pidPath(cfg *config.Config) string {
	if cfg.PID == "" && n.opts.OwnProcess {
		return DefaultPID
	}
	return cfg.PID
}

// cleanUp removes the pid file at the end, and with a keeper whatever else only
// the rights of the start can remove.
func (n *Node) cleanUp() error {
	if n.keeper != nil {
		if err := n.keeper.finish(); err != nil {
			return err
		}
	}
	return removePID(n.pidFile, os.Getpid())
}
