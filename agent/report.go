package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/agent/internal/ingest"
	"github.com/pialert/pialert/agent/internal/intake"
	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/backoff"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
)

// listenReports opens the socket, if there is to be one.
func (d *daemon) listenReports() (net.Listener, error) {
	path, group := d.cfg.reportSocket(), d.cfg.Report.Group
	if path == "" {
		return nil, nil
	}
	listener, err := control.Listen(path)
	if err != nil {
		return nil, err
	}
	if group != "" {
		if err := giveTo(path, group); err != nil {
			d.logger.Warn("only root can report", "socket", path, "error", err)
		}
	}
	return listener, nil
}

// giveTo makes a file a group's, unless it is already, as in a folder that gives its group to what is made in
// it: that takes no right, and the unit has none.
func giveTo(path, name string) error {
	group, err := user.LookupGroup(name)
	if err != nil {
		return err
	}
	id, err := strconv.Atoi(group.Gid)
	if err != nil {
		return err
	}
	var own syscall.Stat_t
	if err := syscall.Stat(path, &own); err == nil && int(own.Gid) == id {
		return nil
	}
	return os.Chown(path, -1, id)
}

// reports is what can be done through the socket: nothing but to report.
func (d *daemon) reports() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /report", control.Handle(func(ctx context.Context, in intake.Report) (struct{}, error) {
		now := time.Now()
		in.Source = value.Normal(in.Source)
		if err := in.Check(now); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, d.commit(ctx, func(run *detection, add func(*attack.Event)) { run.reports.Report(&in, now, add) })
	}))
	return mux
}

// retryStopped is the pause before something is committed by the next detection, when a reload ended one.
const retryStopped = 100 * time.Millisecond

// commit lets do add events and returns once they are committed, across a reload, too.
func (d *daemon) commit(ctx context.Context, do func(run *detection, add func(*attack.Event))) error {
	for {
		run := d.current()
		err := run.pipeline.Commit(ctx, func(add func(*attack.Event)) { do(run, add) })
		if !errors.Is(err, ingest.ErrStopped) {
			return err
		}
		if backoff.Wait(ctx, retryStopped, nil); ctx.Err() != nil {
			return err
		}
	}
}

func reportCommand(s *settings) *cobra.Command {
	report := intake.Report{Count: 1}
	var source, span string
	wait := 30 * time.Second
	command := &cobra.Command{
		Use:   "report ban|unban|attempt --source-ip ADDRESS",
		Short: "Say that another program banned somebody, or saw an attempt",
		Long: `report is for programs of this machine that see attacks, or answer them, such as fail2ban by its
action pialert. It reaches the agent by a socket of its own, which members of the group pialert-report
may use, and through which nothing else can be done. It returns once the event is kept, and waits for
an agent that is starting.

A ban that holds is reported on once, however often it is reported.`,
		Example: `  pialert-agent report ban --source-ip 203.0.113.7 --jail sshd
  pialert-agent report unban --source-ip 203.0.113.7 --jail sshd
  pialert-agent report attempt --source-ip 203.0.113.7 --user admin --count 3 --host nas`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{string(intake.ReportBan), string(intake.ReportUnban), string(intake.ReportAttempt)},
		RunE: func(command *cobra.Command, args []string) (err error) {
			report.Action = intake.Action(args[0])
			if source != "" {
				if report.Source, err = intake.ParseSource(source); err != nil {
					return &cli.UsageError{Err: cli.Hint(fmt.Errorf("--source-ip: %w", err), "give one such as 203.0.113.7 or 2001:db8::/64")}
				}
			}
			if report.For, err = intake.ParseSpan(span); err != nil {
				return &cli.UsageError{Err: fmt.Errorf("--for: %w", err)}
			}
			if report.Action != intake.ReportAttempt {
				report.Count = 0
			}
			if err := report.Check(time.Now()); err != nil {
				return &cli.UsageError{Err: err}
			}
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			socket := cfg.reportSocket()
			if socket == "" {
				return cli.Hint(errors.New("nobody takes reports"), "set report.socket in the configuration")
			}
			err = intake.Send(command.Context(), socket, report, wait)
			if errors.Is(err, control.ErrNotRunning) || errors.Is(err, control.ErrNoAnswer) {
				return cli.Hint(err, "start it with: sudo systemctl start %s", program)
			}
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&source, "source-ip", "", "address or network that was banned, or tried to log in")
	flags.StringVar(&report.Jail, "jail", "", "list that the ban is on, or the service that was tried")
	flags.StringVar(&report.User, "user", "", "account that was tried")
	flags.Uint64Var(&report.Count, "count", report.Count, "attempts that it stands for")
	flags.StringVar(&report.Host, "host", "", "machine that saw it, if it is another one")
	flags.StringVar(&span, "for", "", "how long the ban lasts, such as 3600 or 1h; -1 is for ever")
	flags.BoolVar(&report.All, "all", false, "all bans of the jail are lifted; sent five minutes later, unless they are reported anew")
	flags.DurationVar(&wait, "wait", wait, "how long to wait for an agent that does not answer")
	return command
}
