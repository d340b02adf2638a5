package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/daemon"
)

func (p *program) serveCommand() *cobra.Command {
	var file string
	var o config.Overrides
	var cmd *cobra.Command
	cmd = p.command("serve", "Run the daemon", func(ctx context.Context, _ []string) error {
		if p.json || p.server != "" {
			return usagef("serve takes neither --json nor --server")
		}
		if cmd.Flags().Changed("data-dir") { // its default holds ROSTERD_DATA_DIR already
			o.DataDir = p.dataDir
		}
		c, err := config.Load(file, p.env)
		if err != nil {
			return err
		}
		if err := c.Override(o); err != nil {
			return usageError{err}
		}
		log := slog.New(slog.NewTextHandler(p.stderr, nil))
		return daemon.Run(ctx, daemon.Options{Config: c, Version: programVersion(), Out: p.stdout, Log: log})
	})
	flags := cmd.Flags()
	flags.StringVar(&file, "config", "", "the configuration file; without one there are no connections to pull from")
	flags.StringVar(&o.Listen, "listen", "", "address to listen on, host:port (default "+config.DefaultListen+")")
	flags.StringVar(&o.DatabaseURL, "database-url", "", "postgres://… (default: SQLite in --data-dir)")
	flags.StringVar(&o.PublicURL, "public-url", "", "the https URL under which identity providers reach this daemon")
	return cmd
}
