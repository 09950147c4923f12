package config

import (
	"fmt"
	"io"
)

// DumpFiles writes every file of the configuration under a line that names it,
// as -T does.
func (c *Config) DumpFiles(w io.Writer) error {
	for _, f := range c.Files {
		if _, err := fmt.Fprintf(w, "# configuration file %s:\n%s\n", f.Name, f.Text); err != nil {
			return fmt.Errorf("dump of %s: %w", f.Name, err)
		}
	}
	return nil
}
