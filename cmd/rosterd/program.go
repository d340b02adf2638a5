package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

// program is one invocation: its streams, its environment and the flags that all commands share.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) (string, bool)
	// patience is how long a wait goes on while no daemon answers.
	patience time.Duration

	dataDir    string
	server     string
	apiKeyFile string
	json       bool
	// working is set when a command's own work begins: whatever fails before that is a wrong use.
	working bool
}

// run carries out one command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) (string, bool)) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, env: env, patience: time.Minute}
	return p.run(ctx, args)
}

func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	command, err := root.ExecuteContextC(ctx)
	return p.report(command, err)
}

// root returns the whole tree of commands.
func (p *program) root() *cobra.Command {
	root := p.group("rosterd", "Keeps members and teams true to the identity provider",
		p.orgCommand(), p.tokenCommand(), p.membersCommand(), p.teamsCommand(), p.connectionCommand(),
		p.diffCommand(), p.resyncCommand(), p.runsCommand(), p.eventsCommand(), p.requestsCommand(),
		p.apikeyCommand(), p.alertsCommand(), p.statusCommand(), p.doctorCommand(), p.versionCommand(), p.serveCommand(), p.demoCommand(), p.idpsimCommand(),
	)
	root.Long = `rosterd keeps an organisation's members and teams true to its identity provider.

Commands talk to the daemon through the socket in --data-dir, or to --server with an API key.
Exit codes: 0 done, 1 failed, 2 drift found (diff), 3 not finished (held or partial), 64 wrong use.`
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.StringVar(&p.dataDir, "data-dir", p.defaultDataDir(), "folder of the daemon's data and socket (ROSTERD_DATA_DIR)")
	flags.StringVar(&p.server, "server", "", "URL of a daemon elsewhere; needs an API key")
	flags.StringVar(&p.apiKeyFile, "api-key-file", "", "file with the API key for --server, - for standard input (or ROSTERD_API_KEY)")
	flags.BoolVar(&p.json, "json", false, "print one JSON document on standard output")
	return root
}

func (p *program) defaultDataDir() string {
	if dir, _ := p.env("ROSTERD_DATA_DIR"); dir != "" {
		return dir
	}
	return "./data"
}

// group returns a command that only holds others.
func (p *program) group(use, short string, children ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{Use: use, Short: short, SuggestionsMinimumDistance: 2}
	group.Args = cobra.ArbitraryArgs
	group.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			suggestion := ""
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				suggestion = fmt.Sprintf(" (did you mean %q?)", near[0])
			}
			return usagef("unknown command %q for %q%s", args[0], cmd.CommandPath(), suggestion)
		}
		cmd.SetOut(p.stderr)
		_ = cmd.Help()
		return usagef("%s needs a command", cmd.CommandPath())
	}
	group.AddCommand(children...)
	return group
}

// command returns a command that takes the named arguments and does work.
func (p *program) command(use, short string, work func(ctx context.Context, args []string) error) *cobra.Command {
	_, names, _ := strings.Cut(use, " ")
	cmd := &cobra.Command{Use: use, Short: short, Args: exactly(strings.Fields(names))}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkRequired(cmd); err != nil {
			return err
		}
		p.working = true
		return work(cmd.Context(), args)
	}
	return cmd
}

// client returns a client for the daemon that the flags name.
func (p *program) client() (*client.Client, error) {
	if p.server == "" {
		if p.apiKeyFile != "" {
			return nil, usagef("--api-key-file goes with --server: the socket in --data-dir needs no key")
		}
		return client.New(client.Options{Socket: client.SocketPath(p.dataDir)})
	}
	key, err := p.apiKey()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Options{Server: p.server, APIKey: key})
	if err != nil {
		return nil, usageError{fmt.Errorf("--server: %w", err)}
	}
	if u, err := url.Parse(p.server); err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		p.note("warning: %s is plain http: the API key can be read on the way", p.server)
	}
	return c, nil
}

func (p *program) apiKey() (string, error) {
	var text []byte
	var err error
	switch p.apiKeyFile {
	case "":
		key, _ := p.env("ROSTERD_API_KEY")
		if text = []byte(key); key == "" {
			return "", usagef("--server needs an API key: give --api-key-file PATH or set ROSTERD_API_KEY")
		}
	case "-":
		text, err = io.ReadAll(io.LimitReader(p.stdin, 64<<10))
	default:
		text, err = os.ReadFile(p.apiKeyFile)
	}
	if err != nil {
		return "", fmt.Errorf("read the API key: %w", err)
	}
	key := strings.TrimSpace(string(text))
	if key == "" || strings.ContainsAny(key, " \r\n\t") {
		return "", fmt.Errorf("the API key is empty or of several words: the file must hold the key alone")
	}
	return key, nil
}

// note writes a line for the person on standard error.
func (p *program) note(format string, args ...any) {
	_, _ = fmt.Fprintln(p.stderr, printable(fmt.Sprintf(format, args...)))
}
