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

// The smallest tenant that has room for every fault.
const (
	demoMembers = 20
	demoGroups  = 4
)

func (p *program) demoCommand() *cobra.Command {
	var o demoOptions
	cmd := p.command("demo", "Watch drift appear and be repaired, against a simulated Entra and a simulated Okta", func(ctx context.Context, _ []string) error {
		switch {
		case p.server != "":
			return usagef("demo starts a daemon of its own: it takes no --server")
		case p.json && !o.once:
			return usagef("--json goes with --once: without it the demo goes on serving")
		case o.members < demoMembers || o.groups < demoGroups:
			return usagef("the demo needs at least %d members and %d groups", demoMembers, demoGroups)
		}
		return p.demo(ctx, o)
	})
	flags := cmd.Flags()
	flags.IntVar(&o.members, "members", 200, "people in scope of the simulated Entra tenant; Okta has half as many")
	flags.IntVar(&o.groups, "groups", 12, "groups assigned in the simulated Entra tenant; Okta pushes half as many")
	flags.BoolVar(&o.once, "once", false, "end when everything was shown; the exit code says whether it passed")
	flags.StringVar(&o.databaseURL, "database-url", "", "postgres://… (default: a throw-away SQLite file); a schema of its own is made in it and dropped")
	flags.StringVar(&o.listen, "listen", "", "address to listen on, host:port (default: "+config.DefaultListen+", or any free port)")
	flags.Int64Var(&o.seed, "seed", 1, "makes other tenants")
	return cmd
}

// demoIdP is one simulated identity provider's part in the demo.
type demoIdP interface {
	// connection declares the connection NAME to the tenant that serves at a URL.
	connection(url string) config.Connection
	listen() (*idpsim.Server, error)
	// provision has the IdP's own push engine send everybody to a SCIM base URL.
	provision(ctx context.Context, baseURL, token string) (idpsim.Summary, error)
	// breakThings makes pushes go missing, each in a way that is known to happen, and returns what should be found.
	breakThings(ctx context.Context) ([]demoFault, error)
	// desired is the tenant's own account of who should be here: userNames, and teams' by displayName.
	desired() (people []string, teams map[string][]string)
}

// show is a running demo: the tenants, the daemon, and a client of it.
type show struct {
	p      *program
	o      demoOptions
	dir    string
	idps   []demoIdP
	names  []string // of the connections, as idps
	daemon *daemon.Daemon
	client *client.Client
	began  time.Time
}

// demoSummary is what `demo --once --json` prints.
type demoSummary struct {
	Passed      bool           `json:"passed"`
	Database    string         `json:"database"`
	Connections []string       `json:"connections"`
	Members     int            `json:"members"`
	Teams       int            `json:"teams"`
	Faults      []demoFault    `json:"faults"`
	Found       map[string]int `json:"found"`
	Repaired    map[string]int `json:"repaired"`
	Seconds     float64        `json:"seconds"`
	SecondPlan  int            `json:"second_plan"`
	Silent      bool           `json:"silent"` // a further run wrote no member, team, membership, link or event
	Problems    []string       `json:"problems"`
}

// demoFault is one thing that went wrong on the way, and what was made of it.
type demoFault struct {
	Connection string `json:"connection"`
	Fault      string `json:"fault"`
	Kind       string `json:"kind"`
	Subject    string `json:"subject"`
	Found      bool   `json:"found"`
	Repaired   bool   `json:"repaired"`
}

func (p *program) demo(ctx context.Context, o demoOptions) (err error) {
	s := &show{p: p, o: o, began: time.Now(), idps: []demoIdP{newEntraDemo(o), newOktaDemo(o)}}
	if s.dir, err = os.MkdirTemp("", "rosterd-demo-"); err != nil {
		return fmt.Errorf("make a throw-away folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	var connections []config.Connection
	for _, idp := range s.idps {
		server, err := idp.listen()
		if err != nil {
			return fmt.Errorf("start a simulated tenant: %w", err)
		}
		defer func() { _ = server.Close() }()
		c := idp.connection(server.URL)
		c.Organisation, c.Policy = demoOrg, config.DefaultPolicy()
		connections, s.names = append(connections, c), append(s.names, c.Name)
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	drop, err := s.start(ctx, connections)
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

// start builds the daemon with a connection to each simulated tenant. On PostgreSQL it works in a schema of its own,
// which drop removes, so that nothing else in that database is touched.
func (s *show) start(ctx context.Context, connections []config.Connection) (drop func(context.Context) error, err error) {
	drop = func(context.Context) error { return nil }
	c := config.Default()
	c.DataDir, c.Connections = s.dir, connections
	if s.o.databaseURL != "" {
		var throwAway string
		if throwAway, drop, err = daemon.ThrowAwaySchema(ctx, s.o.databaseURL); err != nil {
			return nil, err
		}
		c.DatabaseURL = config.Secret(throwAway)
	}
	options := daemon.Options{
		Config: c, Version: programVersion(), Out: s.p.stderr,
		Log: slog.New(slog.NewTextHandler(s.p.stderr, &slog.HandlerOptions{Level: slog.LevelError})),
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
	s.say("\nPassed: %d faults made, found, rightly named and repaired in %.1f seconds; the second\nplans are empty, and the runs after them wrote nothing.",
		len(summary.Faults), summary.Seconds)
	if s.o.once {
		return nil
	}
	s.say(`
The daemon goes on, on %[1]s. In another terminal, try:

  export ROSTERD_DATA_DIR=%[2]s
  rosterd status
  rosterd members list --org default --limit 5
  rosterd members deactivate KEY --org default
  rosterd diff --org default --connection entra
  rosterd resync --org default --user KEY
  rosterd runs list
  rosterd events list --org default --limit 10

Ctrl-C ends it and throws everything away.`, s.daemon.LocalURL(), s.dir)
	<-ctx.Done()
	return nil
}
