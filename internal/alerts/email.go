package alerts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// The ways in which mail is protected on its way to the SMTP server.
const (
	TLSStart    = "starttls" // by STARTTLS (RFC 3207), which the server must offer
	TLSImplicit = "implicit" // from the first byte on (RFC 8314 section 3.3)
	TLSNone     = "none"
)

// EmailConfig is how mail is sent.
type EmailConfig struct {
	SMTP     string // host:port
	TLS      string
	From     string
	To       []string
	Username string // empty: without signing in
	Password string
	Roots    *x509.CertPool // who may vouch for the server; nil: whom the system trusts
}

// Email sends messages as plain text.
type Email struct {
	cfg    EmailConfig
	host   string
	port   int
	domain string // of the sender, for the ids of messages
	hidden []string
}

// NewEmail returns a channel that sends mail.
func NewEmail(c EmailConfig) (*Email, error) {
	host, port, err := net.SplitHostPort(c.SMTP)
	if err != nil {
		return nil, errors.New("the SMTP server must be host:port")
	}
	e := &Email{cfg: c, host: host}
	if e.port, err = strconv.Atoi(port); err != nil {
		return nil, errors.New("the SMTP server's port must be a number")
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, errors.New("the sender is no email address")
	}
	_, e.domain, _ = strings.Cut(from.Address, "@")
	if c.Password != "" { // in the clear, and as it goes over the wire
		e.hidden = []string{
			base64.StdEncoding.EncodeToString([]byte("\x00" + c.Username + "\x00" + c.Password)),
			base64.StdEncoding.EncodeToString([]byte(c.Password)), c.Password,
		}
	}
	if _, err := e.client(e.dial); err != nil {
		return nil, err
	}
	return e, nil
}

// Name implements Channel.
func (*Email) Name() string { return "email" }

// preferred are the ways to sign in where the connection is encrypted, the first that the server has.
func preferred() []gomail.SMTPAuthType {
	return []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5}
}

func (e *Email) client(dial gomail.DialContextFunc) (*gomail.Client, error) {
	options := []gomail.Option{gomail.WithPort(e.port), gomail.WithTimeout(sendTime), gomail.WithDialContextFunc(dial), gomail.WithTLSConfig(e.tls())}
	auth := gomail.WithOpportunisticSMTPAuth(preferred()...)
	switch e.cfg.TLS {
	case TLSImplicit:
		options = append(options, gomail.WithSSL())
	case TLSNone:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
		auth = gomail.WithSMTPAuth(gomail.SMTPAuthPlainNoEnc) // the configuration allows a password on a loopback address only
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if e.cfg.Username != "" {
		options = append(options, auth, gomail.WithUsername(e.cfg.Username), gomail.WithPassword(e.cfg.Password))
	}
	c, err := gomail.NewClient(e.host, options...)
	if err != nil {
		return nil, fmt.Errorf("set the SMTP client up: %w", err)
	}
	return c, nil
}

func (e *Email) tls() *tls.Config {
	return &tls.Config{ServerName: e.host, MinVersion: tls.VersionTLS12, RootCAs: e.cfg.Roots}
}

// dial connects to the server.
func (e *Email) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if e.cfg.TLS == TLSImplicit {
		d := &tls.Dialer{Config: e.tls()}
		return d.DialContext(ctx, network, address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// Send implements Channel. Its Message-ID is the same at each attempt, so that a mailbox shows one that came twice once.
func (e *Email) Send(ctx context.Context, m Message) error {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.From(e.cfg.From); err != nil {
		return errors.New("the sender is no email address")
	}
	if err := msg.To(e.cfg.To...); err != nil {
		return errors.New("one of those it goes to is no email address")
	}
	msg.Subject(m.subject())
	msg.SetDate()
	msg.SetMessageIDWithValue(m.ID + "@" + e.domain)
	thread := "<" + m.Alert + "@" + e.domain + ">" // all that is told of an alert stands together
	msg.SetGenHeader(gomail.HeaderReferences, thread)
	msg.SetGenHeader(gomail.HeaderInReplyTo, thread)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 section 5: no out-of-office answer
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")  // the same for Exchange (MS-OXCMAIL)
	msg.SetBodyString(gomail.TypeTextPlain, m.body())
	var conn net.Conn // the library leaves one open that it could not sign in on
	client, err := e.client(func(ctx context.Context, network, address string) (c net.Conn, err error) {
		c, err = e.dial(ctx, network, address)
		conn = c
		return c, err
	})
	if err != nil {
		return err
	}
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("send mail by %s: %s", e.cfg.SMTP, hide(err.Error(), e.hidden...))
	}
	return nil
}
