package config

import (
	"errors"
	"fmt"
)

// Overrides are the settings that the environment and the command line may put above the file; an empty one leaves
// the file's.
type Overrides struct {
	Listen      string
	PublicURL   string
	DataDir     string
	DatabaseURL string
}

// Override puts the command line's values above what was loaded. The error names each flag that is wrong.
func (c *Config) Override(o Overrides) error {
	return c.override(o, Overrides{"--listen", "--public-url", "--data-dir", "--database-url"})
}

func (c *Config) applyEnvironment(env func(string) (string, bool)) error {
	names := Overrides{"ROSTERD_LISTEN", "ROSTERD_PUBLIC_URL", "ROSTERD_DATA_DIR", "ROSTERD_DATABASE_URL"}
	get := func(name string) string { value, _ := env(name); return value }
	return c.override(Overrides{
		Listen: get(names.Listen), PublicURL: get(names.PublicURL),
		DataDir: get(names.DataDir), DatabaseURL: get(names.DatabaseURL),
	}, names)
}

// override applies o; names says how messages call each value.
func (c *Config) override(o, names Overrides) error {
	database := c.DatabaseURL.Reveal()
	err := errors.Join(
		overrideOne(&c.Listen, o.Listen, names.Listen, checkListen),
		overrideOne(&c.PublicURL, o.PublicURL, names.PublicURL, checkPublicURL),
		overrideOne(&c.DataDir, o.DataDir, names.DataDir, checkDataDir),
		overrideOne(&database, o.DatabaseURL, names.DatabaseURL, checkDatabaseURL),
	)
	c.DatabaseURL = Secret(database)
	return err
}

func overrideOne(into *string, value, name string, check func(string) (string, error)) error {
	if value == "" {
		return nil
	}
	value, err := check(value)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	*into = value
	return nil
}
