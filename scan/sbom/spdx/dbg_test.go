package spdx
import ("testing";"bytes";"fmt";"strings";"github.com/google/go-cmp/cmp";"github.com/stella-ops/stella/internal/testdata")
func TestDbg(t *testing.T){
 f:=testdata.Open(t,"conformance/spdx-tools-golang.tar.gz")
 for _,v:=range []string{"2.2","2.3"}{
  j,err:=Decode(bytes.NewReader(f["examples/sample-docs/json/SPDXJSONExample-v"+v+".spdx.json"]),nil)
  if err!=nil{t.Fatal(err)}
  y,err:=Decode(bytes.NewReader(f["examples/sample-docs/yaml/SPDXYAMLExample-"+v+".spdx.yaml"]),nil)
  if err!=nil{t.Fatal(err)}
  tv,err:=Decode(bytes.NewReader(f["examples/sample-docs/tv/SPDXTagExample-v"+v+".spdx"]),nil)
  if err!=nil{t.Fatal(err)}
  show:=func(a,b any){ fmt.Println(cmp.Diff(a,b)) }
  jw,_:=encoded(t,j,&EncodeOptions{Version:v}); yw,_:=encoded(t,y,&EncodeOptions{Version:v}); tw,_:=encoded(t,tv,&EncodeOptions{Version:v})
  fmt.Println("=====",v,"json-yaml"); show(unordered(t,jw),unordered(t,yw))
  fmt.Println("=====",v,"json-tv"); show(unordered(t,jw),unordered(t,tw))
 }
 for n,b:=range testdata.Open(t,"conformance/spdx-examples.tar.gz"){
  if !strings.HasSuffix(n,".spdx"){continue}
  d,err:=Decode(bytes.NewReader(b),nil)
  if err!=nil{ fmt.Println(n,err);continue}
  o,l:=encoded(t,d,&EncodeOptions{Version:"2.2",TagValue:true})
  d2,err:=Decode(bytes.NewReader(o),nil)
  if err!=nil{ fmt.Println(n,err);continue}
  fmt.Println(n,len(d.Packages),d.Subject.Name,l,cmp.Diff(d,d2))
 }
}
