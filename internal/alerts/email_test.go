package alerts_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/alerts"
	"github.com/rosterd/rosterd/internal/roster"
)

// smtpServer is as much of an SMTP server (RFC 5321) as a client needs, with an answer of its own to some commands.
type smtpServer struct {
	address string
	mu      sync.Mutex
	answers map[string]string // by the first word of a command; "." is the end of a message
	got     []string          // messages
	rcpt    []string
	tls     *tls.Config // nil: STARTTLS is not offered
	signed  []string    // what was given to sign in
}

func startSMTP(t *testing.T) *smtpServer {
	t.Helper()
	return serveSMTP(t, &smtpServer{answers: map[string]string{}}, false)
}

// serveSMTP starts a server; implicit: it speaks TLS from the first byte on.
func serveSMTP(t *testing.T, s *smtpServer, implicit bool) *smtpServer {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	if implicit {
		l = tls.NewListener(l, s.tls)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.talk(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return s
}

func (s *smtpServer) answer(command, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[command] = text
}

func (s *smtpServer) messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

func (s *smtpServer) talk(c net.Conn) {
	defer func() { _ = c.Close() }() // the one below, if it was secured
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(c)
	say := func(text string) { _, _ = fmt.Fprintf(c, "%s\r\n", text) }
	say("220 test ESMTP")
	var body strings.Builder
	inData := false
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		if inData {
			if line != "." {
				body.WriteString(strings.TrimPrefix(line, ".") + "\n")
				continue
			}
			inData = false
			if !s.refuses(".", say) {
				s.mu.Lock()
				s.got = append(s.got, body.String())
				s.mu.Unlock()
				say("250 taken")
			}
			body.Reset()
			continue
		}
		word := strings.ToUpper(strings.Fields(line + " x")[0])
		if s.refuses(word, say) {
			continue
		}
		switch word {
		case "EHLO":
			say("250-test")
			if _, secure := c.(*tls.Conn); s.tls != nil && !secure {
				say("250-STARTTLS")
			}
			say("250-AUTH PLAIN LOGIN\r\n250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			secure := tls.Server(c, s.tls)
			c, in = secure, bufio.NewReader(secure)
		case "AUTH":
			s.mu.Lock()
			s.signed = append(s.signed, line)
			s.mu.Unlock()
			say("235 welcome")
		case "RCPT":
			s.mu.Lock()
			s.rcpt = append(s.rcpt, line)
			s.mu.Unlock()
			say("250 ok")
		case "DATA":
			inData = true
			say("354 go on")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *smtpServer) refuses(command string, say func(string)) bool {
	s.mu.Lock()
	text := s.answers[command]
	s.mu.Unlock()
	if text != "" {
		say(text)
	}
	return text != ""
}

func (s *smtpServer) channel(t *testing.T, change func(c *alerts.EmailConfig)) *alerts.Email {
	t.Helper()
	c := alerts.EmailConfig{SMTP: s.address, TLS: alerts.TLSNone, From: "rosterd <rosterd@example.com>", To: []string{"it@example.com", "Ops <ops@example.com>"}}
	if change != nil {
		change(&c)
	}
	e, err := alerts.NewEmail(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func heldMessage() alerts.Message {
	return alerts.Message{
		ID: "d1", Alert: "a1", What: roster.TellOpened, Organisation: "acme", Kind: roster.AlertRunHeld, SubjectType: "connection", Subject: "entra",
		Severity: roster.SeverityWarning, Title: "run held on entra (12 removals)", Text: "It holds 12 removals.\n\nApply it:\n  rosterd runs approve r1",
		Details: map[string]any{"run": "r1"}, OpenedAt: time.Date(2026, 11, 24, 4, 20, 0, 0, time.UTC),
	}
}

func TestMailSaysWhatAndWhatToDo(t *testing.T) {
	s := startSMTP(t)
	resolved := heldMessage()
	resolved.What, resolved.ResolvedAt, resolved.ID = roster.TellResolved, resolved.OpenedAt.Add(time.Hour), "d2"
	for _, m := range []alerts.Message{heldMessage(), resolved} {
		if err := s.channel(t, nil).Send(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	got := s.messages()
	if len(got) != 2 || len(s.rcpt) != 4 {
		t.Fatalf("%d messages to %v", len(got), s.rcpt)
	}
	for i, want := range []struct{ subject, id, body string }{
		{"[rosterd] acme: run held on entra (12 removals)", "<d1@example.com>", "It holds 12 removals.\n\nApply it:\n  rosterd runs approve r1\n\nOrganisation: acme\nConnection: entra\nSince: 2026-11-24 04:20 UTC\n"},
		{"[rosterd] acme: resolved: run held on entra (12 removals)", "<d2@example.com>", "This is resolved since 2026-11-24 05:20 UTC."},
	} {
		m, err := mail.ReadMessage(strings.NewReader(got[i]))
		if err != nil {
			t.Fatal(err)
		}
		h := m.Header
		if h.Get("Subject") != want.subject || h.Get("Message-Id") != want.id || h.Get("References") != "<a1@example.com>" ||
			h.Get("Auto-Submitted") != "auto-generated" || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
			t.Errorf("header %v", h)
		}
		if !strings.Contains(got[i], want.body) {
			t.Errorf("no %q in\n%s", want.body, got[i])
		}
	}
}

func TestNoNameAddsAHeaderToAMail(t *testing.T) {
	s := startSMTP(t)
	m := heldMessage()
	evil := "x\r\nBcc: evil@example.com\r\n\r\nbody\x00\u2028\u202e"
	m.Title, m.Organisation, m.Subject, m.Text = evil, evil, evil, evil
	if err := s.channel(t, nil).Send(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	read, err := mail.ReadMessage(strings.NewReader(s.messages()[0]))
	if err != nil || read.Header.Get("Bcc") != "" || len(s.rcpt) != 2 {
		t.Errorf("%v, to %v, %v", read.Header, s.rcpt, err)
	}
}

func TestWhatTheMailServerRefusesIsSaidWithoutThePassword(t *testing.T) {
	const hush = "hush-hush"
	signIn := func(c *alerts.EmailConfig) { c.Username, c.Password = "rosterd", hush }
	for name, tc := range map[string]struct {
		command, answer string
		change          func(c *alerts.EmailConfig)
		want            string
	}{
		"for a while":           {".", "451 4.3.0 try again later", nil, `451 "4.3.0 try again later"`},
		"a recipient":           {"RCPT", "550 5.1.1 no such mailbox", nil, `550 "5.1.1 no such mailbox"`},
		"the password":          {"AUTH", "535 5.7.8 not " + hush, signIn, `535 "5.7.8 not [secret]"`},
		"STARTTLS is not there": {"", "", func(c *alerts.EmailConfig) { c.TLS = alerts.TLSStart }, "STARTTLS"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSMTP(t)
			if tc.command != "" {
				s.answer(tc.command, tc.answer)
			}
			err := s.channel(t, tc.change).Send(context.Background(), heldMessage())
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), s.address) || strings.Contains(err.Error(), hush) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if got := s.messages(); len(got) != 0 {
				t.Errorf("sent %q", got)
			}
		})
	}
	s := startSMTP(t)
	if err := s.channel(t, signIn).Send(context.Background(), heldMessage()); err != nil || len(s.messages()) != 1 {
		t.Errorf("with a password: %v", err)
	}
}

func TestMailGoesByTLSToWhoIsTrusted(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	for _, way := range []string{alerts.TLSStart, alerts.TLSImplicit} {
		t.Run(way, func(t *testing.T) {
			s := &smtpServer{answers: map[string]string{}, tls: &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}}
			serveSMTP(t, s, way == alerts.TLSImplicit)
			trusting := func(c *alerts.EmailConfig) {
				c.TLS, c.Username, c.Password, c.Roots = way, "rosterd", "hush", roots
			}
			if err := s.channel(t, trusting).Send(context.Background(), heldMessage()); err != nil {
				t.Fatal(err)
			}
			want := "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00rosterd\x00hush"))
			if len(s.messages()) != 1 || len(s.signed) != 1 || s.signed[0] != want {
				t.Errorf("%d messages, signed in by %v", len(s.messages()), s.signed)
			}
			err := s.channel(t, func(c *alerts.EmailConfig) { trusting(c); c.Roots = nil }).Send(context.Background(), heldMessage())
			if err == nil || !strings.Contains(err.Error(), "certificate") || len(s.messages()) != 1 || len(s.signed) != 1 {
				t.Errorf("to who is not trusted: %v", err)
			}
		})
	}
}

// The whole way: what an SMTP server refuses for a while arrives later, once.
func TestAMailThatWasPutOffArrivesLater(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		s := startSMTP(f.T)
		s.answer(".", "451 4.3.0 try again later")
		a := f.replica(s.channel(f.T, nil))
		f.ran(f.org, f.conn, failed("bad_credentials"))
		f.ok(a.Look(ctx))
		f.ok(a.Deliver(ctx))
		if d := f.open(f.org)[0].Deliveries[0]; !strings.Contains(d.LastError, "4.3.0 try again later") || d.Attempts != 1 {
			t.Fatalf("the first attempt: %+v", d)
		}
		s.answer(".", "")
		f.ahead += time.Minute
		f.ok(a.Deliver(ctx))
		f.ok(a.Deliver(ctx))
		if got := s.messages(); len(got) != 1 || !strings.Contains(got[0], "Subject: [rosterd] acme: runs fail on entra") {
			t.Errorf("got %q", got)
		}
	})
}
