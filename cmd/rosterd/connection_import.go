package main

import (
	"context"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) connectionImport() *cobra.Command {
	var org, file string
	var write bool
	cmd := p.command("import-mapping NAME", "Write Entra's own mapping as this connection's", func(ctx context.Context, args []string) error {
		if write != (file != "") {
			return usagef("--write and --config go together: --write --config FILE changes that file")
		}
		c, err := p.client()
		if err != nil {
			return err
		}
		found, err := c.JobMapping(ctx, org, args[0])
		if err != nil {
			return err
		}
		if write {
			return p.writeMapping(file, &found)
		}
		if p.json {
			return p.printJSON(found)
		}
		return p.print(mappingView(&found))
	})
	cmd.Long = `Reads how the enterprise application's own provisioning job maps users, and prints
the same as a connection's mapping, to be pasted into the configuration file; what
can't be had here, and why, stands above it. With --write --config FILE the file is
changed: its mapping lines for what the job sends, and nothing else.`
	orgFlag(cmd, &org)
	cmd.Flags().BoolVar(&write, "write", false, "change the configuration file that --config names")
	cmd.Flags().StringVar(&file, "config", "", "the configuration file to change, with --write")
	return cmd
}

// mappingView is a piece of YAML; what is no line of it stands in comments.
func mappingView(m *client.JobMapping) string {
	var b strings.Builder
	comment(&b, "The mapping of connection "+oneLine(m.Connection)+", as the job's own. Paste it into the connection's entry in the configuration file.")
	leftLines(&b, m)
	b.WriteString("mapping:\n")
	for _, l := range m.Mapping {
		b.WriteString("  " + yamlKey(l.Target) + ": " + yamlValue(l.Source) + "\n")
	}
	return b.String()
}

// leftLines says what could not be translated, and which lines leave an attribute to the pushes.
func leftLines(b *strings.Builder, m *client.JobMapping) {
	for _, l := range m.Left {
		text := oneLine(l.Target)
		if l.From != "" {
			text += ", from " + oneLine(l.From)
		}
		comment(b, "Not translated: "+text+": "+oneLine(l.Why)+".")
	}
	for _, l := range m.Mapping {
		if l.Unsent {
			comment(b, "Left to pushes: "+oneLine(l.Target)+": the job does not send it.")
		}
	}
}

// comment writes a text as YAML comments.
func comment(b *strings.Builder, text string) {
	var lines strings.Builder
	fill(&lines, "  ", text)
	for line := range strings.Lines(lines.String()) {
		b.WriteString("# " + strings.TrimLeft(line, " "))
	}
}

// yamlKey is an attribute's path as a key: those that a mapping can write need no quotes.
func yamlKey(target string) string {
	if regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.:-]*(\[type eq "[A-Za-z]+"\]\.[A-Za-z]+)?$`).MatchString(target) {
		return target
	}
	return yamlQuoted(target)
}

func yamlValue(source string) string {
	if regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`).MatchString(source) && source != "null" && source != "true" && source != "false" {
		return source
	}
	return yamlQuoted(source)
}

// yamlQuoted is a text in single quotes, in which a quote is written twice (YAML 1.2.2, section 7.3.2). An expression has
// no line breaks: its texts are written with escapes.
func yamlQuoted(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(printable(s), "\n", " "), "'", "''") + "'"
}
