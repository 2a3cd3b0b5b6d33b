package rpmdb
import ("testing";"os";"path/filepath";"bytes";"fmt";"time")
func TestDump(t *testing.T){
 root:=os.Getenv("RPMDB_SAMPLES"); if root==""{t.Skip()}
 fs,_:=filepath.Glob(root+"/*/*")
 for _,f:=range fs{
  b,_:=os.ReadFile(f)
  t0:=time.Now()
  db,err:=Open(bytes.NewReader(b),int64(len(b)),nil)
  if err!=nil{t.Log(f,err);continue}
  n,files,bad:=0,0,0
  for h,err:=range db.Headers(){
   if err!=nil{bad++;t.Log(f,err);continue}
   p,err:=Decode(h,nil)
   if err!=nil{bad++;t.Log(f,err)}
   n++;files+=len(p.Files)
   if n==1{fmt.Printf("%+.300v\n",p)}
  }
  t.Log(filepath.Base(filepath.Dir(f)),db.Format(),n,files,bad,time.Since(t0))
 }
}
