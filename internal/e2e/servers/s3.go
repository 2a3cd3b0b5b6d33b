package servers

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	s3Variable = "STELLA_TEST_S3"
	s3Region   = "us-east-1"
	s3Access   = "stella"
)

// sharedS3 is the S3 server of this test binary.
var sharedS3 struct {
	sync.Mutex
	server *Server
}

// S3 returns the URL of an S3 bucket, as store/blob/s3blob opens it:
// "s3://key:secret@bucket?endpoint=…&region=…". Each call has a new bucket of one
// server; with a URL in the environment each call has a new prefix in the bucket
// that it names, and nothing is removed.
func S3(t testing.TB) string {
	t.Helper()
	if u := os.Getenv(s3Variable); u != "" {
		t.Logf("S3 from %s", s3Variable)
		given, err := url.Parse(u)
		if err != nil {
			t.Fatalf("%s cannot be parsed", s3Variable)
		}
		given.Path = strings.TrimSuffix(given.Path, "/") + "/t" + secret(8)
		return given.String()
	}
	sharedS3.Lock()
	defer sharedS3.Unlock()
	if sharedS3.server == nil {
		sharedS3.server = startS3(t)
	}
	t.Logf("S3 from %s", sharedS3.server.How)
	u, err := newBucket(t.Context(), sharedS3.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// StartS3 starts an S3 server that a test may hurt. Its URL names an empty
// bucket. Kill and Restart keep what was stored.
func StartS3(t testing.TB) *Server {
	t.Helper()
	s := startS3(t)
	t.Cleanup(s.kill)
	t.Logf("S3 from %s", s.How)
	return s
}

// newBucket makes a bucket on the server of base and returns its URL.
func newBucket(ctx context.Context, base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	u.Host = "t" + secret(8)
	password, _ := u.User.Password()
	c := s3.New(s3.Options{
		BaseEndpoint: aws.String(u.Query().Get("endpoint")), Region: s3Region, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: u.User.Username(), SecretAccessKey: password}, nil
		}),
	})
	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(u.Host)}); err != nil {
		return "", fmt.Errorf("make bucket %s: %w", u.Host, err)
	}
	return u.String(), nil
}

func startS3(t testing.TB) *Server {
	t.Helper()
	p, err := findS3()
	if err != nil {
		missing(t, "S3 server", s3Variable, err)
	}
	dir, err := tempDir("s3")
	if err != nil {
		t.Fatal(err)
	}
	objects := filepath.Join(dir, "objects")
	if err := os.Mkdir(objects, 0o700); err != nil {
		t.Fatal(err)
	}
	s := &Server{How: p.how, dir: dir}
	password := secret(12)
	base := ""
	err = begin(s, func(port int) {
		q := url.Values{"endpoint": {"http://" + s.Addr}, "region": {s3Region}, "path_style": {"true"}}
		base = (&url.URL{Scheme: "s3", User: url.UserPassword(s3Access, password), Host: "none", RawQuery: q.Encode()}).String()
		s.command = func() *exec.Cmd {
			cmd := exec.Command(p.path, "--port", "127.0.0.1:"+strconv.Itoa(port), "--quiet", "posix", objects)
			cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s3Access, "ROOT_SECRET_KEY="+password)
			return cmd
		}
		s.ready = func(ctx context.Context) (err error) {
			if s.URL == "" {
				s.URL, err = newBucket(ctx, base)
				return err
			}
			_, err = newBucket(ctx, base)
			return err
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// versitygw is the S3 server that is fetched.
const versitygw = "github.com/versity/versitygw/cmd/versitygw"

const versitygwVersion = "v1.8.0"

func findS3() (program, error) {
	if p := lookUp("versitygw"); p != "" {
		return program{path: p, how: p}, nil
	}
	dir, err := fetch("versitygw-"+versitygwVersion, func(dir string) error {
		return run(dir, []string{"GOBIN=" + dir, "GOWORK=off"}, "go", "install", "-ldflags=-s -w", versitygw+"@"+versitygwVersion)
	})
	if err != nil {
		return program{}, err
	}
	return program{path: filepath.Join(dir, "versitygw"), how: "go install in " + dir}, nil
}
