package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	reachTime = 10 * time.Second
	certSoon  = 14 * 24 * time.Hour
)

// target is where the identity provider pushes to.
type target struct {
	text string // as it was given
	base string // without slashes at its end, and without a query
	url  *url.URL
}

// safe reports whether a token may be sent there: nobody on the way reads it.
func (t *target) safe() bool { return t.url.Scheme == "https" || isLoopback(t.url.Hostname()) }

func (t *target) port() string {
	if port := t.url.Port(); port != "" {
		return port
	}
	if t.url.Scheme == "https" {
		return "443"
	}
	return "80"
}

// checkURL looks at the URL itself; false: there is nothing to reach.
func (x *examination) checkURL() bool {
	given := x.given.url
	if given == "" {
		given = x.status.BaseURL
	}
	trimmed := strings.TrimSpace(given)
	u, err := url.Parse(trimmed)
	x.target = target{text: printable(trimmed), url: u}
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		x.fail("URL", "it is not an absolute URL", "give it as "+x.example())
		return false
	}
	if u.User != nil {
		u.User = nil
		x.target.text = u.String()
		x.fail("URL", "it holds a user name or password", "give it as "+u.String())
		return false
	}
	before := len(x.findings)
	x.checkScheme(u)
	x.checkPath(u, given != trimmed)
	x.target.base = u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/")
	if len(x.findings) == before {
		x.ok("URL", x.target.text)
	}
	return true
}

// example is a URL that would do.
func (x *examination) example() string {
	if x.status != nil && strings.HasPrefix(x.status.BaseURL, "https://") {
		return x.status.BaseURL
	}
	return "https://id.example.com/service/v1/scim/v2"
}

func (x *examination) checkScheme(u *url.URL) {
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	switch {
	case isLoopback(host) || err == nil && addr.IsUnspecified():
		x.fail("URL", host+" is this machine alone: no identity provider reaches it",
			"give rosterd a public name with a TLS proxy before it, and set public_url to https://THAT_NAME")
	case u.Scheme == "http":
		x.fail("URL", "it is plain http: Entra and Okta push to https only, and the token would be read on the way",
			"put a TLS proxy before rosterd and set public_url to its https URL")
	case err == nil && addr.IsPrivate(), err != nil && (!strings.Contains(host, ".") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal")):
		x.warn("URL", host+" is an address within a network: the identity provider's cloud does not reach it",
			"give it a public name, or run the provider's agent inside (Entra's provisioning agent, Okta's on-premises agent)")
	}
}

// checkPath looks for what people give in place of the SCIM base URL.
func (x *examination) checkPath(u *url.URL, spaces bool) {
	path := strings.TrimRight(u.Path, "/")
	own := ""
	if x.status != nil {
		own = x.status.BaseURL
	}
	switch {
	case spaces:
		x.fail("URL", "it has white space before or behind it", "give it without: "+x.target.text)
	case u.Fragment != "" || u.RawQuery != "" && !strings.EqualFold(u.RawQuery, "aadOptscim062020"):
		x.fail("URL", "it has something behind the path", "leave out what follows "+u.Scheme+"://"+u.Host+u.Path)
	case !strings.HasSuffix(path, "/scim/v2"):
		fix := "give " + u.Scheme + "://" + u.Host + "/service/v1/scim/v2"
		if own != "" {
			fix = "give " + own
		}
		x.fail("URL", "it is not the SCIM base URL, which ends in /scim/v2", fix)
	case strings.HasSuffix(u.Path, "/"):
		x.add(finding{
			Check: "URL", State: stateWarn, only: okta, Text: "it ends in a slash: Entra may have it, Okta wants it without",
			Fix: "give Okta " + strings.TrimRight(x.target.text, "/"),
		})
	case own != "" && x.given.url != "" && x.target.text != own:
		x.warn("URL", "the daemon itself says "+own, "set public_url to where it is reached, if that is "+u.Scheme+"://"+u.Host)
	}
}

// checkNetwork resolves the name, connects and shakes hands.
func (x *examination) checkNetwork(ctx context.Context) bool {
	host, port := x.target.url.Hostname(), x.target.port()
	addresses := []string{host}
	if _, err := netip.ParseAddr(host); err != nil {
		lookup, cancel := context.WithTimeout(ctx, reachTime)
		defer cancel()
		if addresses, err = net.DefaultResolver.LookupHost(lookup, host); err != nil {
			x.fail("DNS", host+": "+dnsProblem(err), "see to it that the name is right and has an A or AAAA record that everybody can see")
			return false
		}
		x.ok("DNS", host+" is "+some(addresses))
	}
	dialer := net.Dialer{Timeout: reachTime}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		x.fail("TCP", "port "+port+" of "+some(addresses)+": "+dialProblem(err),
			"see to it that rosterd or its proxy listens there, and that no firewall keeps the identity provider's addresses out")
		return false
	}
	defer func() { _ = conn.Close() }()
	x.ok("TCP", conn.RemoteAddr().String()+" answers")
	if x.target.url.Scheme != "https" {
		return true
	}
	return x.checkTLS(ctx, conn, host)
}

func dnsProblem(err error) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return "there is no such name"
	}
	return "the name can't be looked up: " + err.Error()
}

func dialProblem(err error) string {
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused: nothing listens there"
	case timeout != nil && timeout.Timeout():
		return "no answer: a firewall may drop it"
	}
	return err.Error()
}

// checkTLS shakes hands as identity providers do: TLS 1.2 or newer, and a certificate for the name by a known authority.
func (x *examination) checkTLS(ctx context.Context, conn net.Conn, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	client := tls.Client(conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12})
	if err := client.HandshakeContext(ctx); err != nil {
		text, fix := x.tlsProblem(ctx, err, host)
		x.fail("TLS", text, fix)
		return false
	}
	state := client.ConnectionState()
	leaf := state.PeerCertificates[0]
	said := fmt.Sprintf("%s, certificate by %s until %s", tls.VersionName(state.Version), issuer(leaf), leaf.NotAfter.UTC().Format(time.DateOnly))
	if left := leaf.NotAfter.Sub(x.now()); left < certSoon {
		x.warn("TLS", said, "renew the certificate: it expires within 14 days")
		return true
	}
	x.ok("TLS", said)
	return true
}

func issuer(c *x509.Certificate) string {
	if len(c.Issuer.Organization) > 0 {
		return c.Issuer.Organization[0]
	}
	return orDash(c.Issuer.CommonName)
}

// tlsProblem says in words why a handshake failed, and what to do.
func (x *examination) tlsProblem(ctx context.Context, err error, host string) (text, fix string) {
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	wrong, isWrong := errors.AsType[x509.HostnameError](err)
	_, isUnknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, isPlain := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case isInvalid && invalid.Reason == x509.Expired && x.now().Before(invalid.Cert.NotBefore):
		return "the certificate holds only from " + invalid.Cert.NotBefore.UTC().Format(time.DateTime), "wait, or set the clock of this machine right"
	case isInvalid && invalid.Reason == x509.Expired:
		return "the certificate expired at " + invalid.Cert.NotAfter.UTC().Format(time.DateTime), "renew it, and have the server load it"
	case isInvalid:
		return "the certificate can't be used: " + invalid.Error(), "get another one"
	case isWrong:
		return "the certificate is not for " + host + ", but for " + some(namesOn(wrong.Certificate)), "get one for " + host + ", or give a URL with a name that it has"
	case isUnknown:
		return unknownAuthority(err)
	case isPlain:
		return "what answers there does not speak TLS", "give the port on which TLS is served, or put a TLS proxy before rosterd"
	}
	if version := x.oldTLS(ctx); version != "" {
		return "the server speaks no newer protocol than " + version + ": Entra and Okta need TLS 1.2", "switch TLS 1.2 and 1.3 on at the proxy"
	}
	return "the handshake fails: " + err.Error(), "see the log of the TLS proxy"
}

func namesOn(c *x509.Certificate) []string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func unknownAuthority(err error) (text, fix string) {
	failed, _ := errors.AsType[*tls.CertificateVerificationError](err)
	if failed != nil && len(failed.UnverifiedCertificates) > 0 {
		switch leaf := failed.UnverifiedCertificates[0]; {
		case leaf.Issuer.String() == leaf.Subject.String():
			return "the certificate is signed by itself: no identity provider trusts it", "get one from a public authority, such as Let's Encrypt"
		case len(failed.UnverifiedCertificates) == 1:
			return "the certificate's authority, " + issuer(leaf) + ", is not known here, and the server sends no intermediate certificate",
				"have the server send the whole chain (fullchain.pem, not cert.pem); a private authority is trusted by no identity provider"
		}
	}
	return "the certificate's authority is not known", "get a certificate from a public authority: a private one is trusted by no identity provider"
}

// oldTLS returns the protocol that a server speaks which has nothing newer than TLS 1.1. Nothing is sent over it.
func (x *examination) oldTLS(ctx context.Context) string {
	dialer := net.Dialer{Timeout: reachTime}
	raw, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(x.target.url.Hostname(), x.target.port()))
	if err != nil {
		return ""
	}
	defer func() { _ = raw.Close() }()
	//nolint:gosec // to find out whether the server speaks nothing better; the connection carries nothing
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if conn.HandshakeContext(ctx) != nil {
		return ""
	}
	return tls.VersionName(conn.ConnectionState().Version)
}
