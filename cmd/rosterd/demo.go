package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/daemon"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// demoOptions are the flags of the demo.
type demoOptions struct {
	members     int
	groups      int
	databaseURL string
	listen      string
	once        bool
	seed        int64
}

func (p *program) demoCommand() *cobra.Command {
	var o demoOptions
	cmd := p.command("demo", "Watch drift appear and be repaired, against a simulated Entra tenant", func(ctx context.Context, _ []string) error {
		switch {
		case p.server != "":
			return usagef("demo starts a daemon of its own: it takes no --server")
		case p.json && !o.once:
			return usagef("--json goes with --once: without it the demo goes on serving")
		case o.members < 20 || o.groups < 4:
			return usagef("the demo needs at least 20 members and 4 groups")
		}
		return p.demo(ctx, o)
	})
	flags := cmd.Flags()
	flags.IntVar(&o.members, "members", 200, "people in scope of the simulated tenant")
	flags.IntVar(&o.groups, "groups", 12, "groups assigned in the simulated tenant")
	flags.BoolVar(&o.once, "once", false, "end when everything was shown; the exit code says whether it passed")
	flags.StringVar(&o.databaseURL, "database-url", "", "postgres://… (default: a throw-away SQLite file); a schema of its own is made in it and dropped")
	flags.StringVar(&o.listen, "listen", "", "address to listen on, host:port (default: "+config.DefaultListen+", or any free port)")
	flags.Int64Var(&o.seed, "seed", 1, "makes another tenant")
	return cmd
}

// show is a running demo: the tenant, its push engine, the daemon, and a client of it.
type show struct {
	p      *program
	o      demoOptions
	dir    string
	tenant *idpsim.Tenant
	pusher *idpsim.Pusher
	daemon *daemon.Daemon
	client *client.Client
	began  time.Time
}

// demoSummary is what `demo --once --json` prints.
type demoSummary struct {
	Passed     bool           `json:"passed"`
	Database   string         `json:"database"`
	Members    int            `json:"members"`
	Teams      int            `json:"teams"`
	Faults     []demoFault    `json:"faults"`
	Found      map[string]int `json:"found"`
	Repaired   map[string]int `json:"repaired"`
	Seconds    float64        `json:"seconds"`
	SecondPlan int            `json:"second_plan"`
	Problems   []string       `json:"problems"`
}

// demoFault is one thing that went wrong on the way, and what was made of it.
type demoFault struct {
	Fault    string `json:"fault"`
	Kind     string `json:"kind"`
	Subject  string `json:"subject"`
	Found    bool   `json:"found"`
	Repaired bool   `json:"repaired"`
}

func (p *program) demo(ctx context.Context, o demoOptions) (err error) {
	s := &show{p: p, o: o, began: time.Now()}
	if s.dir, err = os.MkdirTemp("", "rosterd-demo-"); err != nil {
		return fmt.Errorf("make a throw-away folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	s.tenant = idpsim.New(idpsim.Config{Seed: o.seed, Members: o.members, Groups: o.groups, AccessToken: "demo"})
	server, err := s.tenant.Listen("127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the simulated tenant: %w", err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	drop, err := s.start(ctx, server.URL)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.daemon.Run(ctx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended, drop(context.WithoutCancel(ctx)))
	}()
	if s.client, err = client.New(client.Options{Socket: client.SocketPath(s.dir)}); err != nil {
		return err
	}
	summary, err := s.play(ctx)
	if err != nil {
		return err
	}
	return s.close(ctx, summary)
}

// start builds the daemon with one connection, to the simulated tenant. On PostgreSQL it works in a schema of its own,
// which drop removes, so that nothing else in that database is touched.
func (s *show) start(ctx context.Context, graphURL string) (drop func(context.Context) error, err error) {
	drop = func(context.Context) error { return nil }
	c := config.Default()
	c.DataDir = s.dir
	if s.o.databaseURL != "" {
		var throwAway string
		if throwAway, drop, err = daemon.ThrowAwaySchema(ctx, s.o.databaseURL); err != nil {
			return nil, err
		}
		c.DatabaseURL = config.Secret(throwAway)
	}
	c.Connections = []config.Connection{{
		Organisation: daemon.DefaultOrganisation, Name: "entra", Kind: config.KindEntra,
		Entra: &config.Entra{
			TenantID: s.tenant.TenantID(), ServicePrincipalID: s.tenant.ServicePrincipalID(), GraphURL: graphURL, AccessToken: "demo",
		},
		Policy: config.Policy{Settle: config.DefaultSettle},
	}}
	level := slog.LevelError
	options := daemon.Options{
		Config: c, Version: programVersion(), Out: s.p.stderr, Log: slog.New(slog.NewTextHandler(s.p.stderr, &slog.HandlerOptions{Level: level})),
	}
	addresses := []string{config.DefaultListen, "127.0.0.1:0"}
	switch {
	case s.o.listen != "":
		addresses = []string{s.o.listen}
	case s.o.once:
		addresses = addresses[1:]
	}
	for _, address := range addresses {
		c.Listen = address
		if s.daemon, err = daemon.New(ctx, options); err == nil {
			return drop, nil
		}
	}
	return nil, errors.Join(err, drop(ctx))
}

// say writes a step of the story: on standard output for a person, on standard error beside JSON.
func (s *show) say(format string, args ...any) {
	if s.p.json {
		s.p.note(format, args...)
		return
	}
	_, _ = fmt.Fprintf(s.p.stdout, format+"\n", args...)
}

// close prints the summary, and goes on serving unless the demo is to end.
func (s *show) close(ctx context.Context, summary demoSummary) error {
	if s.p.json {
		if err := s.p.printJSON(summary); err != nil {
			return err
		}
	}
	for _, problem := range summary.Problems {
		s.say("PROBLEM  %s", problem)
	}
	if !summary.Passed {
		return errors.New("the demo did not pass")
	}
	s.say("\nPassed: %d faults made, found, rightly named and repaired in %.1f seconds; the second plan is empty.", len(summary.Faults), summary.Seconds)
	if s.o.once {
		return nil
	}
	s.say(`
The daemon goes on, on %s. In another terminal, try:

  rosterd status --data-dir %s
  rosterd members list --org default --limit 5 --data-dir %s
  rosterd members deactivate KEY --org default --data-dir %s
  rosterd diff --org default --data-dir %s
  rosterd runs list --data-dir %s
  rosterd events list --org default --limit 10 --data-dir %s

Ctrl-C ends it and throws everything away.`, s.daemon.LocalURL(), s.dir, s.dir, s.dir, s.dir, s.dir, s.dir)
	<-ctx.Done()
	return nil
}
