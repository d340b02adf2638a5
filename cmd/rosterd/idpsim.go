package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/idpsim"
)

// defaultSimListen is where the simulated identity providers listen.
const defaultSimListen = "127.0.0.1:8090"

// How much garbage may gather, in percent of what is alive. A directory of a million people is alive nearly whole while it
// grows, and then stays: collecting seldom makes it sooner, collecting more often than usual keeps the process small.
const (
	growingHeap = 400
	servingHeap = 40
)

// simOptions are the flags of idpsim.
type simOptions struct {
	listen    string
	insecure  bool
	users     int
	groups    int
	seed      int64
	pageSize  int
	rateLimit int // of Okta
	clock     string
	faultFile string
	faults    []string
	pushTo    string
	tokenEnv  string
	pushEvery time.Duration
}

// simulation is a simulated tenant, ready to be served.
type simulation struct {
	kind string
	// handler serves the tenant with its control surface; it is asked for once, after connect.
	handler  func() http.Handler
	setRules func(rules ...idpsim.Rule) error
	// connect makes the push engine; cycle runs it once.
	connect func(baseURL, token string) error
	cycle   func(ctx context.Context) (idpsim.Summary, error)
	// facts are what a client has to know, entry is the connection in rosterd.yaml; both for the address that it serves at.
	facts func(url string) []fact
	entry func(url string) string
	// export is what rosterd's environment has to hold for the entry, NAME=value: a vendor's token may not stand in the file.
	export string
}

// fact is one thing that a client has to know, under the name it has in JSON and for a person.
type fact struct{ key, label, value string }

func (p *program) idpsimCommand() *cobra.Command {
	return p.group("idpsim", "Run a simulated identity provider, to try rosterd or another client against",
		p.simCommand("entra", "Run a simulated Entra tenant: Microsoft Graph, the token endpoint and a provisioning job", newEntraSimulation),
		p.simCommand("okta", "Run a simulated Okta org with one application", newOktaSimulation),
	)
}

func (p *program) simCommand(kind, short string, build func(o simOptions, now func() time.Time) *simulation) *cobra.Command {
	var o simOptions
	cmd := p.command(kind, short, func(ctx context.Context, _ []string) error {
		if p.server != "" {
			return usagef("idpsim talks to no daemon: it takes no --server")
		}
		now, rules, err := o.check(p.env)
		if err != nil {
			return usageError{err}
		}
		began := time.Now()
		debug.SetGCPercent(growingHeap)
		s := build(o, now)
		debug.SetGCPercent(servingHeap)
		debug.FreeOSMemory()
		if err := s.setRules(rules...); err != nil {
			return usageError{err}
		}
		return p.simulate(ctx, o, s, time.Since(began))
	})
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", defaultSimListen, "address to listen on, host:port")
	flags.BoolVar(&o.insecure, "insecure-listen", false, "allow an address that others can reach: the control surface asks for no password")
	flags.IntVar(&o.users, "users", 1000, "people in the directory; most of them are in scope and enabled")
	flags.IntVar(&o.groups, "groups", 20, "groups that become teams; the directory has some more")
	flags.Int64Var(&o.seed, "seed", 1, "the same seed gives the same directory, credentials and faults")
	flags.IntVar(&o.pageSize, "page-size", 0, "entries on a page where a client asks for no number (0: as the vendor)")
	flags.StringVar(&o.clock, "clock", "", "start the tenant's clock at this time (RFC 3339), to go on with each look at it: answers repeat to the byte (default: real time)")
	flags.StringVar(&o.faultFile, "faults", "", "YAML file with faults; see docs/idpsim.md")
	flags.StringArrayVar(&o.faults, "fault", nil, "a fault, such as 'GET /v1.0/users: 429 after=10 times=3 retry_after=2'; may be given again")
	flags.StringVar(&o.pushTo, "push-to", "", "SCIM base URL to push people and groups to, as the vendor's provisioning does")
	flags.StringVar(&o.tokenEnv, "push-token-env", "", "environment variable that holds the SCIM token for --push-to")
	flags.DurationVar(&o.pushEvery, "push-every", time.Minute, "time between two pushes; 0: only when POST /_sim/push asks for one")
	if kind == "okta" {
		flags.IntVar(&o.rateLimit, "rate-limit", 0, "requests in a minute beyond which Okta answers 429 (0: never)")
	}
	return cmd
}

// check holds the flags against each other and returns the clock and the faults.
func (o *simOptions) check(env func(string) (string, bool)) (now func() time.Time, rules []idpsim.Rule, err error) {
	host, _, err := net.SplitHostPort(o.listen)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("--listen %s: want host:port, such as %s", o.listen, defaultSimListen)
	case !isLoopback(host) && !o.insecure:
		return nil, nil, fmt.Errorf("--listen %s: others could reach it, and its control surface asks for no password: listen on %s, or add --insecure-listen",
			o.listen, defaultSimListen)
	case o.users < 0 || o.groups < 0 || o.pageSize < 0 || o.rateLimit < 0 || o.pushEvery < 0:
		return nil, nil, errors.New("--users, --groups, --page-size, --rate-limit and --push-every can't be negative")
	case (o.pushTo == "") != (o.tokenEnv == ""):
		return nil, nil, errors.New("--push-to and --push-token-env go together")
	}
	if o.tokenEnv != "" {
		if token, _ := env(o.tokenEnv); token == "" {
			return nil, nil, fmt.Errorf("--push-token-env %s: that variable is empty or not set", o.tokenEnv)
		}
	}
	if now, err = simClock(o.clock); err != nil {
		return nil, nil, err
	}
	rules, err = o.rules()
	return now, rules, err
}

// simClock returns a clock that goes on by a hundredth of a second whenever somebody looks at it, or nil for the real one.
func simClock(start string) (func() time.Time, error) {
	if start == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		return nil, fmt.Errorf("--clock %s: want a time such as 2026-01-05T09:00:00Z", start)
	}
	var looks atomic.Int64
	return func() time.Time { return at.Add(time.Duration(looks.Add(1)) * 10 * time.Millisecond) }, nil
}

// rules reads the faults of the file and of the command line, in this order.
func (o *simOptions) rules() ([]idpsim.Rule, error) {
	var rules []idpsim.Rule
	if o.faultFile != "" {
		text, err := os.ReadFile(o.faultFile)
		if err != nil {
			return nil, fmt.Errorf("read the faults: %w", err)
		}
		if rules, err = parseFaults(text); err != nil {
			return nil, fmt.Errorf("%s: %w", o.faultFile, err)
		}
	}
	for _, line := range o.faults {
		r, err := idpsim.ParseRule(line)
		if err != nil {
			return nil, fmt.Errorf("--fault: %w", err)
		}
		rules = append(rules, r)
	}
	for i, r := range rules {
		if _, err := r.Compile(); err != nil {
			return nil, fmt.Errorf("fault %d: %w", i+1, err)
		}
	}
	return rules, nil
}

// parseFaults reads a YAML list of faults, or one under the key faults.
func parseFaults(text []byte) ([]idpsim.Rule, error) {
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	var file struct {
		Faults []idpsim.Rule `json:"faults"`
	}
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		err = json.Unmarshal(raw, &file.Faults)
	} else {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		err = d.Decode(&file)
	}
	if err != nil {
		return nil, fmt.Errorf("want a list of faults under the key faults: %w", err)
	}
	return file.Faults, nil
}

// simulate serves a tenant until ctx ends.
func (p *program) simulate(ctx context.Context, o simOptions, s *simulation, took time.Duration) error {
	if o.pushTo != "" {
		token, _ := p.env(o.tokenEnv)
		if err := s.connect(o.pushTo, token); err != nil {
			return usageError{fmt.Errorf("--push-to: %w", err)}
		}
	}
	server, err := idpsim.ListenWith(o.listen, s.handler())
	if err != nil {
		return err
	}
	if err := p.introduce(o, s, server.URL, took); err != nil {
		return errors.Join(err, server.Close())
	}
	if o.pushTo != "" && o.pushEvery > 0 {
		p.pushAlong(ctx, o.pushEvery, s)
	}
	<-ctx.Done()
	return server.Close()
}

// introduce prints what a client has to know.
func (p *program) introduce(o simOptions, s *simulation, url string, took time.Duration) error {
	facts := append(s.facts(url), fact{"control_url", "Control surface", url + "/_sim/"})
	if p.json {
		doc := map[string]string{"kind": s.kind, "url": url, "connection": s.entry(url), "export": s.export}
		for _, f := range facts {
			doc[f.key] = f.value
		}
		return p.printJSON(doc)
	}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(p.stdout, format+"\n", args...) }
	say("A simulated %s with %d users and %d groups (seed %d), made in %.1f seconds, listens on %s.\n",
		map[string]string{"entra": "Entra tenant", "okta": "Okta org"}[s.kind], o.users, o.groups, o.seed, took.Seconds(), url)
	for _, f := range facts {
		say("%-28s %s", f.label, f.value)
	}
	say("\nPut this into rosterd.yaml:\n\nconnections:\n%s", s.entry(url))
	if s.export != "" {
		say("and start rosterd with its token in the environment:\n\nexport %s\n", s.export)
	}
	if host, _, _ := net.SplitHostPort(o.listen); !isLoopback(host) {
		say("rosterd takes plain http from a loopback address only: elsewhere, put TLS before it.\n")
	}
	say("See docs/idpsim.md for faults, changes and the oracle. Ctrl-C ends it.")
	return nil
}

// pushAlong runs the push engine at once and then again and again until ctx ends.
func (p *program) pushAlong(ctx context.Context, every time.Duration, s *simulation) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		sum, err := s.cycle(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.note("push: %v", err)
		case sum.Requests > 0:
			p.note("push %d: %d created, %d updated, %d disabled, %d deleted, %d failed", sum.Number, sum.Created, sum.Updated,
				sum.Disabled, sum.Deleted, sum.Failed)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// entryLines writes the lines of an entry of rosterd.yaml.
func entryLines(lines ...string) string { return strings.Join(lines, "\n") + "\n" }
