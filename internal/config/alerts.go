package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// DefaultRemind is how often an open alert is told of again where nothing else is said.
const DefaultRemind = 24 * time.Hour

// mostRecipients bounds alerts.email.to.
const mostRecipients = 50

// Alerts says how operators are told of what needs them.
type Alerts struct {
	Email   *Email   // nil: no mail
	Webhook *Webhook // nil: none
	// Remind is how often an open alert is told of again; 0: never.
	Remind time.Duration
}

// The values of Email.TLS.
const (
	TLSStart    = "starttls"
	TLSImplicit = "implicit"
	TLSNone     = "none"
)

// Email is how alerts are mailed.
type Email struct {
	SMTP     string // host:port
	TLS      string
	From     string
	To       []string
	Username string // empty: without signing in
	Password Secret
}

// Webhook is where alerts are posted.
type Webhook struct {
	URL    Secret // its path often is one
	Secret Secret // empty: nothing is signed
}

func (a *Alerts) read(s *section) {
	if s == nil {
		return
	}
	remind := formatKeep(a.Remind)
	s.checked("remind", &remind, checkRemind)
	if d, err := parseKeep(remind); err == nil {
		a.Remind = d
	}
	if v, ok := s.get("email"); ok {
		a.Email = readEmail(s.doc.section(v.node, "email in alerts", "smtp", "tls", "from", "to", "username", "password"))
	}
	if v, ok := s.get("webhook"); ok {
		a.Webhook = readWebhook(s.doc.section(v.node, "webhook in alerts", "url", "secret"))
	}
}

func checkRemind(text string) (string, error) {
	d, err := parseKeep(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is not a length of time: write a number and h, d or w, such as 24h; 0h is never", text)
	case d != 0 && d < time.Hour || d > 366*day:
		return "", fmt.Errorf("%q is not between 1h and 366d: write such as 24h; 0h is never", text)
	}
	return text, nil
}

func readEmail(s *section) *Email {
	if s == nil {
		return nil
	}
	e := &Email{}
	s.checked("tls", &e.TLS, oneOf(TLSStart, TLSImplicit, TLSNone))
	s.required("smtp", &e.SMTP, "smtp.example.com:587", func(text string) (string, error) { return checkSMTP(text, e.TLS) })
	e.TLS = tlsOf(e.SMTP, e.TLS)
	s.required("from", &e.From, "rosterd@example.com", checkMail)
	e.readRecipients(s)
	s.checked("username", &e.Username, checkLine)
	s.secret("password", "SMTP_PASSWORD", &e.Password)
	password, hasPassword := s.get("password")
	username, hasUsername := s.get("username")
	switch {
	case hasPassword && !hasUsername:
		s.doc.problemf(password.line, "password is set without username in %s: write both, or neither where the server takes mail without signing in", s.name)
	case hasUsername && !hasPassword:
		s.doc.problemf(username.line, "username is set without password in %s: write both, or neither where the server takes mail without signing in", s.name)
	case hasPassword && e.TLS == TLSNone && !loopback(hostOf(e.SMTP)):
		s.doc.problemf(password.line, "password would travel in the clear with tls: none: write tls: starttls or implicit, or take username and password out")
	}
	return e
}

// readRecipients reads `to`: a list, or one address.
func (e *Email) readRecipients(s *section) {
	const example = "[it@example.com]"
	v, ok := s.get("to")
	if !ok {
		s.missing("to", example)
		return
	}
	add := func(node ast.Node) {
		text, isText := scalar(node)
		if !isText {
			s.doc.problemf(lineOf(node), "each of to must be text: %s", howToQuote(node))
			return
		}
		address, err := checkMail(text)
		if err != nil {
			s.doc.problemf(lineOf(node), "to %v", err)
			return
		}
		e.To = append(e.To, address)
	}
	if _, one := scalar(v.node); one {
		add(v.node)
		return
	}
	s.entries("to", "- it@example.com", add)
	if list, isList := v.node.(*ast.SequenceNode); isList && (len(list.Values) == 0 || len(list.Values) > mostRecipients) {
		s.doc.problemf(v.line, "to has %d addresses: write between 1 and %d, such as to: %s", len(list.Values), mostRecipients, example)
	}
}

// smtpPorts are those that the ways of protection have (RFC 6409 section 3.1, RFC 8314 section 3.3).
func smtpPorts() map[string]string {
	return map[string]string{TLSStart: "587", TLSImplicit: "465", TLSNone: "25"}
}

// checkSMTP adds the port that is usual where there is none.
func checkSMTP(text, tls string) (string, error) {
	const example = "smtp.example.com:587"
	if _, _, err := net.SplitHostPort(text); err != nil && matches(hostSyntax, text) {
		text = net.JoinHostPort(text, smtpPorts()[tlsOf(text, tls)])
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" {
		return "", fmt.Errorf("%q is not the address of a server: write host:port, such as %s", text, example)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q has no port between 1 and 65535: write host:port, such as %s", text, example)
	}
	return checkAddress(text, example)
}

// tlsOf is how mail to a server is protected: as is written, or as its port and place want it.
func tlsOf(smtp, written string) string {
	_, port, _ := net.SplitHostPort(smtp)
	switch {
	case written != "":
		return written
	case port == smtpPorts()[TLSImplicit]:
		return TLSImplicit
	case loopback(hostOf(smtp)):
		return TLSNone
	}
	return TLSStart
}

func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

func checkMail(text string) (string, error) {
	if a, err := mail.ParseAddress(text); err != nil || strings.ContainsAny(text, "\r\n") || !strings.Contains(a.Address, "@") {
		return "", fmt.Errorf("%q is not an email address: write one such as it@example.com", text)
	}
	return text, nil
}

func checkLine(text string) (string, error) {
	if strings.ContainsAny(text, "\r\n\x00") {
		return "", errors.New("must be one line")
	}
	return text, nil
}

func readWebhook(s *section) *Webhook {
	if s == nil {
		return nil
	}
	w := &Webhook{}
	if _, ok := s.get("url"); !ok {
		s.missing("url", "https://hooks.example.com/rosterd")
		return w
	}
	s.secretOrLiteral("url", &w.URL)
	if v, ok := s.get("url"); ok && w.URL != "" {
		if err := checkHook(w.URL.Reveal()); err != nil {
			s.doc.problemf(v.line, "url %v", err)
		}
	}
	s.secret("secret", "ALERT_WEBHOOK_SECRET", &w.Secret)
	if v, ok := s.get("secret"); ok && w.Secret != "" {
		if coded, prefixed := strings.CutPrefix(w.Secret.Reveal(), "whsec_"); prefixed {
			if _, err := base64.StdEncoding.DecodeString(coded); err != nil || coded == "" {
				s.doc.problemf(v.line, "secret refers to a text that begins with whsec_ and does not go on with base64: make one by: echo whsec_$(openssl rand -base64 32)")
			}
		}
	}
	return w
}

// checkHook never repeats the text, which may hold a secret.
func checkHook(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || (u.Scheme != "http" && u.Scheme != "https"):
		return errors.New("must be an absolute https URL, such as https://hooks.example.com/rosterd")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return errors.New("may be plain http on a loopback address only (127.0.0.1, ::1, localhost): write https://")
	case u.User != nil || u.Fragment != "":
		return errors.New("must not hold a user name, a password or a fragment: what is sent is signed by secret")
	}
	return nil
}

// redacted is the section in the file's form. Of a webhook's URL the host says which it is.
func (a *Alerts) redacted() yaml.MapSlice {
	out := yaml.MapSlice{{Key: "remind", Value: formatKeep(a.Remind)}}
	if e := a.Email; e != nil {
		shown := withoutEmpty("smtp", e.SMTP, "tls", e.TLS, "from", e.From)
		shown = append(shown, yaml.MapItem{Key: "to", Value: e.To})
		out = append(out, yaml.MapItem{Key: "email", Value: append(shown, withoutEmpty("username", e.Username, "password", masked(e.Password))...)})
	}
	if w := a.Webhook; w != nil {
		shown := ""
		if u, err := url.Parse(w.URL.Reveal()); err == nil {
			shown = (&url.URL{Scheme: u.Scheme, Host: u.Host}).String() + "/" + hidden
		}
		out = append(out, yaml.MapItem{Key: "webhook", Value: withoutEmpty("url", shown, "secret", masked(w.Secret))})
	}
	return out
}
