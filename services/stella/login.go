package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/dpop"
)

// defaultClient is this program as servers know it where nobody registered it otherwise.
const defaultClient = "stella-cli"

const loginHelp = `Log in at a server. A person agrees on a page of the server: on any device, by a code
that is shown here (--device, the default), or in this machine's browser (--browser). A
program that acts for itself has a key of its own instead (--with-client-key).

What the login is worth is bound to a key that is made here. Both are kept in
$XDG_CONFIG_HOME/stella, in a file for each server that nobody else may read.

Exit codes: 0 logged in, 1 error, 64 wrong arguments.`

type loginFlags struct {
	serverFlags
	tenant    string
	client    string
	issuer    string
	scopes    []string
	device    bool
	browser   bool
	clientKey string
	timeout   time.Duration
	quiet     bool
}

func (p *program) loginCommand() *cobra.Command {
	var f loginFlags
	cmd := &cobra.Command{
		Use:     "login",
		Short:   "Log in at a server",
		Long:    loginHelp,
		Example: "  stella login --server https://stella.example\n  stella login --server https://stella.example --client ci --with-client-key ci.pem",
		Args:    usage(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.login(cmd.Context(), &f) },
	}
	fs := cmd.Flags()
	f.register(fs)
	fs.StringVar(&f.tenant, "tenant", "", "refuse a login to another tenant than this one")
	fs.StringVar(&f.client, "client", defaultClient, "the id that this program is registered by")
	fs.StringVar(&f.issuer, "issuer", "", "the authorization server (default: what the server says)")
	fs.StringSliceVar(&f.scopes, "scope", nil, "ask for these rights alone, separated by commas (default: all that the person and this program may have)")
	fs.BoolVar(&f.device, "device", false, "agree on any device, by a code (the default)")
	fs.BoolVar(&f.browser, "browser", false, "agree in a browser on this machine")
	fs.StringVar(&f.clientKey, "with-client-key", "", "log in as a program: this PEM file has the private key of --client, which stays where it is")
	fs.DurationVar(&f.timeout, "timeout", 10*time.Minute, "give up after this time")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "show what a person has to know, and nothing more")
	return cmd
}

func (p *program) login(ctx context.Context, f *loginFlags) error {
	if ways := btoi(f.device) + btoi(f.browser) + btoi(f.clientKey != ""); ways > 1 {
		return usageError("--device, --browser and --with-client-key are ways to log in: want one")
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	server, err := f.address(p.env)
	if err != nil {
		return err
	}
	folder, err := p.sessions()
	if err != nil {
		return err
	}
	door, err := f.door(server)
	if err != nil {
		return err
	}
	as, err := f.authority(ctx, server, door)
	if err != nil {
		return err
	}
	s := &client.Session{Server: server, Issuer: as.Issuer, Client: f.client, Tenant: f.tenant}
	if s.Key, err = dpop.Generate(""); err != nil {
		return err
	}
	c := &client.Client{Server: as, ID: f.client, Key: s.Key, Base: door, Insecure: f.insecure}
	t, err := p.authorize(ctx, f, c, s)
	if err != nil {
		return err
	}
	who := t.Owner()
	if f.tenant != "" && who.Tenant != f.tenant {
		revoked := c.Revoke(ctx, t)
		return errors.Join(fmt.Errorf("logged in to tenant %q, and not to %q: the login is undone", clean(who.Tenant), f.tenant), revoked)
	}
	s.Tenant = who.Tenant
	if err := folder.Write(ctx, s); err != nil {
		return errors.Join(err, c.Revoke(ctx, t)) // nobody could end it any more
	}
	if !f.quiet {
		fmt.Fprintf(p.stdout, "logged in at %s%s\n", server, phrase(who))
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// authority finds the authorization server.
func (f *loginFlags) authority(ctx context.Context, server string, door http.RoundTripper) (*client.Server, error) {
	o := &client.Options{Base: door, Insecure: f.insecure}
	if f.issuer != "" {
		return client.Metadata(ctx, f.issuer, o)
	}
	return client.Discover(ctx, server, o)
}

// authorize has the login agreed to, and fills in what the session keeps of it.
func (p *program) authorize(ctx context.Context, f *loginFlags, c *client.Client, s *client.Session) (*client.Token, error) {
	if f.clientKey != "" {
		own, err := readClientKey(f.clientKey)
		if err != nil {
			return nil, err
		}
		if s.ClientKey, err = filepath.Abs(f.clientKey); err != nil {
			return nil, err
		}
		c.Auth = client.PrivateKey{Key: own}
		return c.Credentials(f.scopes...).Token(ctx)
	}
	var t *client.Token
	var err error
	if f.browser {
		t, err = c.Browser(ctx, p.showPage, f.scopes...)
	} else {
		t, err = p.loginDevice(ctx, f, c)
	}
	if err != nil {
		return nil, err
	}
	if t.Refresh == "" {
		return nil, fmt.Errorf("%s gave no refresh token: the login would be over in %s; client %s must be allowed to have one", c.Server.Issuer, time.Until(t.Expires).Round(time.Second), f.client)
	}
	s.Token = t
	return t, nil
}

// loginDevice shows a code, and waits until somebody agrees. What a person has to know is
// shown even where nothing else is.
func (p *program) loginDevice(ctx context.Context, f *loginFlags, c *client.Client) (*client.Token, error) {
	d, err := c.Device(ctx, f.scopes...)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(p.stderr, "open %s and enter the code %s\n", clean(d.URL), clean(d.UserCode))
	if !f.quiet {
		if d.Complete != "" {
			fmt.Fprintf(p.stderr, "or open %s, and compare the code\n", clean(d.Complete))
		}
		fmt.Fprintf(p.stderr, "waiting until %s\n", d.Expires.Local().Format("15:04"))
	}
	return d.Wait(ctx)
}

// showPage opens a page in a browser, and says where it is for where that does not work.
func (p *program) showPage(page string) error {
	fmt.Fprintf(p.stderr, "open %s\n", clean(page))
	if p.env("STELLA_BROWSER") == "none" {
		return nil
	}
	name, args := "xdg-open", []string{page}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", page}
	}
	cmd := exec.Command(name, args...)
	if cmd.Start() == nil {
		go cmd.Wait() // whether it opened one, the person sees
	}
	return nil
}

// phrase says who somebody is, after "logged in at".
func phrase(c *client.Owner) string {
	var b strings.Builder
	if c.Subject != "" {
		fmt.Fprintf(&b, " as %s", clean(c.Subject))
	}
	if c.Tenant != "" {
		fmt.Fprintf(&b, " of tenant %s", clean(c.Tenant))
	}
	return b.String()
}
