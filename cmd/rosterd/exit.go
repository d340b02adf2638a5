package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitDrift       = 2
	exitNotFinished = 3
	exitUsage       = 64
)

// usageError is a command line that can't be carried out as it is written.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitError ends the program with a code after everything has been printed.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitWith returns nil for exitDone.
func exitWith(code int) error {
	if code == exitDone {
		return nil
	}
	return exitError{code}
}

// report prints err, where there is something to say, and returns the exit code.
func (p *program) report(command *cobra.Command, err error) int {
	var exit exitError
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage) || !p.working:
		p.note("rosterd: %v", err)
		p.note("Run `%s --help` for its use.", command.CommandPath())
		return exitUsage
	case errors.Is(err, context.Canceled):
		p.note("rosterd: interrupted")
		return exitFailed
	}
	p.note("rosterd: %v", err)
	return exitFailed
}

// exactly takes one argument for each name, none of them empty.
func exactly(names []string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > len(names) {
			return usagef("%s has one argument too many: %q", cmd.CommandPath(), args[len(names)])
		}
		for i, name := range names {
			if i >= len(args) || args[i] == "" {
				return usagef("%s needs %s", cmd.CommandPath(), strings.Trim(name, "[]"))
			}
		}
		return nil
	}
}

// checkRequired refuses a required flag that is given without a value.
func checkRequired(cmd *cobra.Command) error {
	for _, name := range []string{"org", "name", "connection", "user"} {
		flag := cmd.Flags().Lookup(name)
		if flag != nil && flag.Changed && flag.Value.String() == "" {
			return usagef("--%s is empty", name)
		}
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
