package main

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

// require adds a flag of text that must be given.
func require(cmd *cobra.Command, into *string, name, usage string) {
	cmd.Flags().StringVar(into, name, "", usage)
	_ = cmd.MarkFlagRequired(name) // fails only for a flag that isn't there
}

// orgFlag adds --org, which must be given.
func orgFlag(cmd *cobra.Command, into *string) { require(cmd, into, "org", "the organisation's name") }

// listFlags are the flags of a list.
type listFlags struct {
	limit uint
	client.ListOptions
}

// options returns what the flags say.
func (l *listFlags) options() client.ListOptions {
	o := l.ListOptions
	o.Limit = int(min(l.limit, math.MaxInt32))
	return o
}

// bindList adds --limit and --search.
func bindList(cmd *cobra.Command) *listFlags {
	l := &listFlags{}
	cmd.Flags().UintVar(&l.limit, "limit", 0, "at most so many (0: all)")
	cmd.Flags().StringVar(&l.Search, "search", "", "only those that contain this text")
	return l
}

func (l *listFlags) byConnection(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.Connection, "connection", "", "only those of this connection")
}

func (l *listFlags) byStatus(cmd *cobra.Command, allowed ...string) {
	cmd.Flags().Var(&choice{&l.Status, allowed}, "status", "only those with this status: "+strings.Join(allowed, ", "))
}

// choice is a flag with a closed set of values.
type choice struct {
	into    *string
	allowed []string
}

// String returns the value.
func (c *choice) String() string {
	if c.into == nil {
		return ""
	}
	return *c.into
}

// Type is what the help calls the value.
func (c *choice) Type() string { return "string" }

// Set takes one of the allowed values.
func (c *choice) Set(value string) error {
	if !slices.Contains(c.allowed, value) {
		return fmt.Errorf("must be one of %s", strings.Join(c.allowed, ", "))
	}
	*c.into = value
	return nil
}

// choices is a flag with a closed set of values that may be given again, or as a list with commas.
type choices struct {
	into    *[]string
	allowed []string
}

// String returns the values.
func (c *choices) String() string {
	if c.into == nil {
		return ""
	}
	return strings.Join(*c.into, ",")
}

// Type is what the help calls the value.
func (c *choices) Type() string { return "string" }

// Set adds values.
func (c *choices) Set(value string) error {
	for one := range strings.SplitSeq(value, ",") {
		if !slices.Contains(c.allowed, one) {
			return fmt.Errorf("must be one of %s", strings.Join(c.allowed, ", "))
		}
		*c.into = append(*c.into, one)
	}
	return nil
}

// httpStatus is a status code, or a class of them such as 4xx.
type httpStatus struct{ into *string }

// String returns the value.
func (s *httpStatus) String() string {
	if s.into == nil {
		return ""
	}
	return *s.into
}

// Type is what the help calls the value.
func (s *httpStatus) Type() string { return "string" }

// Set takes 100 to 599, or 1xx to 5xx.
func (s *httpStatus) Set(value string) error {
	digits := value
	if len(value) == 3 && strings.HasSuffix(value, "xx") {
		digits = value[:1] + "00"
	}
	if n, err := strconv.Atoi(digits); err != nil || n < 100 || n > 599 {
		return fmt.Errorf("must be an HTTP status such as 409, or a class such as 4xx")
	}
	*s.into = value
	return nil
}

// lifetime is how long a token or key holds: a number and h, d or w, or never.
type lifetime struct{ into *string }

// maxHours is a century: more is a slip of the finger.
const maxHours = 100 * 366 * 24

// String returns the value.
func (l *lifetime) String() string {
	if l.into == nil {
		return ""
	}
	return *l.into
}

// Type is what the help calls the value.
func (l *lifetime) Type() string { return "lifetime" }

// Set checks and takes the value.
func (l *lifetime) Set(value string) error {
	if value == "never" {
		*l.into = value
		return nil
	}
	if value == "" {
		return fmt.Errorf("must be a number and h, d or w, such as 90d; or never")
	}
	hours := map[byte]uint64{'h': 1, 'd': 24, 'w': 7 * 24}[value[len(value)-1]]
	n, err := strconv.ParseUint(value[:len(value)-1], 10, 31)
	if hours == 0 || err != nil || n == 0 {
		return fmt.Errorf("must be a number and h, d or w, such as 90d; or never")
	}
	if n > maxHours/hours {
		return fmt.Errorf("is more than a hundred years: write never")
	}
	*l.into = value
	return nil
}

// addresses is a list of addresses and ranges of them, with commas, or any.
type addresses struct{ into *[]string }

// String returns the list.
func (a *addresses) String() string {
	if a.into == nil {
		return ""
	}
	return strings.Join(*a.into, ",")
}

// Type is what the help calls the value.
func (a *addresses) Type() string { return "ranges" }

// Set takes any, which is an empty list, or adds to the list.
func (a *addresses) Set(value string) error {
	if value == "any" {
		*a.into = []string{}
		return nil
	}
	for one := range strings.SplitSeq(value, ",") {
		one = strings.TrimSpace(one)
		_, errRange := netip.ParsePrefix(one)
		if _, err := netip.ParseAddr(one); err != nil && errRange != nil {
			return fmt.Errorf("must be addresses or ranges such as 10.0.0.0/8, with commas; or any")
		}
		*a.into = append(*a.into, one)
	}
	return nil
}

// perSecond is a rate such as 50/s, or off.
type perSecond struct{ into **int }

// String returns the rate.
func (r *perSecond) String() string {
	if r.into == nil || *r.into == nil {
		return ""
	}
	return strconv.Itoa(**r.into) + "/s"
}

// Type is what the help calls the value.
func (r *perSecond) Type() string { return "rate" }

// Set takes a number of requests a second, or off. Whether it is enough is for the daemon to say.
func (r *perSecond) Set(value string) error {
	n := uint64(0)
	if value != "off" {
		var err error
		if n, err = strconv.ParseUint(strings.TrimSuffix(value, "/s"), 10, 31); err != nil || n == 0 {
			return fmt.Errorf("must be a number of requests a second, such as 50/s; or off")
		}
	}
	rate := int(n)
	*r.into = &rate
	return nil
}

// expiresFlag adds --expires, which must be given.
func expiresFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().Var(&lifetime{into}, "expires", "how long it holds: a number and h, d or w, such as 90d; or never")
	_ = cmd.MarkFlagRequired("expires") // fails only for a flag that isn't there
}
