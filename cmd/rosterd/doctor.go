package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) doctorCommand() *cobra.Command {
	return p.group("doctor", "Check a set-up from the outside in", p.doctorSCIM(), p.doctorEntra(), p.doctorOkta())
}

// findingState is what became of one check.
type findingState string

const (
	stateOK   findingState = "ok"
	stateWarn findingState = "warn" // it works, but not well, or not for everybody
	stateFail findingState = "fail"
	stateSkip findingState = "skip" // it could not be checked
)

// finding is what one check found, and the way out.
type finding struct {
	Check string       `json:"check"`
	State findingState `json:"state"`
	Text  string       `json:"text"`
	Fix   string       `json:"fix,omitempty"`
	// only names the identity provider that minds; empty: both. probe is set for a request of its connection test.
	only  string
	probe bool
}

// checkUp is the whole answer.
type checkUp struct {
	Organisation string    `json:"organisation"`
	URL          string    `json:"url"`
	OK           bool      `json:"ok"`
	Entra        bool      `json:"entra"`
	Okta         bool      `json:"okta"`
	Checks       []finding `json:"checks"`
}

const (
	entra = "entra"
	okta  = "okta"
)

// examination is one check-up while it goes on.
type examination struct {
	p   *program
	org string
	// given are the flags.
	given struct {
		url, tokenFile, connection string
		write                      bool
	}

	daemon   *client.Client     // nil: it can't be asked
	status   *client.SCIMStatus // nil: not known
	target   target
	token    string // as the IdP sends it behind "Bearer "; empty: there is none to try
	findings []finding
	web      *http.Client
	now      func() time.Time
}

func (p *program) doctorSCIM() *cobra.Command {
	x := &examination{p: p, now: time.Now}
	cmd := p.command("scim", "Tell whether Entra's and Okta's connection tests would pass, and if not, why", x.run)
	cmd.Long = `Goes the way of an identity provider, from the outside in: address, DNS, TCP, TLS, the
answer behind it, the clock, the token; then it sends what Entra's Test Connection
and Okta's connector test send. It says for each step whether it works and what to
do if not. Exit codes: 0 both tests would pass, 1 something stands in the way.

Without a token it makes one for ten minutes and removes it at the end. A token to
check is read from --token-file, - for standard input, or from ROSTERD_SCIM_TOKEN.
Run it where the network is as the identity provider's: with --url and a token it
needs no daemon.`
	orgFlag(cmd, &x.org)
	flags := cmd.Flags()
	flags.StringVar(&x.given.url, "url", "", "the URL that the identity provider was given (default: the daemon's SCIM base URL)")
	flags.StringVar(&x.given.tokenFile, "token-file", "", "file with the token that it was given, - for standard input (or ROSTERD_SCIM_TOKEN)")
	flags.StringVar(&x.given.connection, "connection", "", "the connection that the token has to be bound to")
	flags.BoolVar(&x.given.write, "write", false, "also make a user, change it, deactivate it and delete it")
	return cmd
}

// run goes through the checks; each stops those that make no sense without it.
func (x *examination) run(ctx context.Context, _ []string) error {
	token, err := x.readToken()
	if err != nil {
		return err
	}
	if err := x.askDaemon(ctx, token != ""); err != nil {
		return err
	}
	reached := x.checkURL() && x.checkNetwork(ctx) && x.checkService(ctx)
	defer x.prepareToken(ctx, token)()
	switch {
	case x.token == "":
		x.skip("probes", "there is no token to send")
	case !reached:
		x.skip("probes", "nothing is sent before the above is mended")
	case !x.target.safe():
		x.skip("probes", "a token is not sent in the clear")
	default:
		x.probe(ctx)
	}
	return x.print()
}

// askDaemon finds out what the daemon knows. Without it a check-up with a URL and a token goes on.
func (x *examination) askDaemon(ctx context.Context, hasToken bool) error {
	enough := x.given.url != "" && hasToken
	c, err := x.p.client()
	if err == nil {
		var status client.SCIMStatus
		if status, err = c.SCIM(ctx, x.org); err == nil {
			x.daemon, x.status = c, &status
		}
	}
	if err != nil {
		if !enough || ctx.Err() != nil {
			return err
		}
		x.skip("daemon", "not asked: "+err.Error())
		return nil
	}
	if !x.status.Enabled {
		x.fail("SCIM", "SCIM is switched off for "+x.org, "rosterd org scim on --org "+x.org)
	}
	return nil
}

// readToken returns the token that was given, as it is written; empty: none was.
func (x *examination) readToken() (string, error) {
	const most = 64 << 10
	var text []byte
	var err error
	switch x.given.tokenFile {
	case "":
		value, _ := x.p.env("ROSTERD_SCIM_TOKEN")
		return value, nil
	case "-":
		if x.p.apiKeyFile == "-" {
			return "", usagef("--token-file and --api-key-file can't both be standard input")
		}
		text, err = io.ReadAll(io.LimitReader(x.p.stdin, most))
	default:
		text, err = os.ReadFile(x.given.tokenFile)
	}
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r") // an editor's, no part of what is pasted
	if strings.TrimSpace(value) == "" {
		return "", fmt.Errorf("read the token: there is none")
	}
	return value, nil
}

func (x *examination) add(f finding) { x.findings = append(x.findings, f) }

func (x *examination) ok(check, text string) {
	x.add(finding{Check: check, State: stateOK, Text: text})
}

func (x *examination) warn(check, text, fix string) {
	x.add(finding{Check: check, State: stateWarn, Text: text, Fix: fix})
}

func (x *examination) fail(check, text, fix string) {
	x.add(finding{Check: check, State: stateFail, Text: text, Fix: fix})
}

func (x *examination) skip(check, text string) {
	x.add(finding{Check: check, State: stateSkip, Text: text})
}

// passes reports whether nothing stands in an identity provider's way: everything was checked, and nothing failed.
func (x *examination) passes(idp string) bool {
	probed := false
	for _, f := range x.findings {
		if f.State == stateFail && (f.only == "" || f.only == idp) {
			return false
		}
		probed = probed || f.probe && f.only == idp
	}
	return probed
}

// print gives the answer, and by its exit code the verdict.
func (x *examination) print() error {
	all := checkUp{Organisation: x.org, URL: x.target.text, Entra: x.passes(entra), Okta: x.passes(okta), Checks: x.findings}
	all.OK = all.Entra && all.Okta
	for i := range all.Checks { // the way out stands for every failure, whoever minds
		all.OK = all.OK && all.Checks[i].State != stateFail
	}
	code := exitDone
	if !all.OK {
		code = exitFailed
	}
	if x.p.json {
		if err := x.p.printJSON(all); err != nil {
			return err
		}
		return exitWith(code)
	}
	var text strings.Builder
	for _, f := range all.Checks {
		text.WriteString(f.lines())
	}
	text.WriteString("\n" + verdict("Entra's Test Connection", all.Entra) + verdict("Okta's connector test", all.Okta))
	if err := x.p.print(text.String()); err != nil {
		return err
	}
	return exitWith(code)
}

func verdict(test string, passes bool) string {
	if passes {
		return test + " would pass.\n"
	}
	return test + " would fail.\n"
}

// lines shows a finding in lines of 80 columns.
func (f finding) lines() string {
	const margin = "      "
	state := string(f.State)
	if f.State == stateFail {
		state = "FAIL"
	}
	text := indentedText(fmt.Sprintf("%-6s%s: %s", state, f.Check, f.Text), margin)
	if f.Fix != "" {
		text += indentedText(margin+"-> "+f.Fix, margin+"   ")
	}
	return text
}

// indentedText breaks text at its spaces; what goes on is indented by margin.
func indentedText(text, margin string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Split(printable(strings.ReplaceAll(text, "\n", " ")), " ") {
		n := len([]rune(word))
		switch {
		case i == 0:
		case column+1+n > lineWidth && word != "":
			b.WriteString("\n" + margin)
			column = len(margin)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String() + "\n"
}
