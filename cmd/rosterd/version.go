package main

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionView is what `version` prints.
type versionView struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (p *program) versionCommand() *cobra.Command {
	return p.command("version", "Print this program's version; needs no daemon", func(context.Context, []string) error {
		v := versionView{programVersion(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
		return p.answer(v, "rosterd %s (%s, %s)", v.Version, v.Go, v.Platform)
	})
}

// programVersion is what the linker was told or, failing that, what the build recorded.
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
