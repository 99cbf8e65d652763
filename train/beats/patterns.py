"""Fits the rhythms of bars in engine/transcribe/src/beats/patterns.bin.

    python patterns.py MIDI_FOLDER OUT.bin

MIDI_FOLDER holds `groove/` (Groove MIDI Dataset with info.csv) and folders of scores. Only the drummers in DRUMMERS and
every second score are used: the others are for evaluation.
"""
import csv
import glob
import hashlib
import os
import sys

import mido
import numpy as np

# Groove's pads that General MIDI calls otherwise, and GM keys that are merged.
TD = {22: 42, 26: 46, 58: 41, 43: 41, 55: 49, 52: 49, 45: 47, 40: 38, 57: 49, 59: 51}
GM = {35: 36, 40: 38, 43: 41, 48: 50, 57: 49, 59: 51, 69: 70, 82: 70}
DRUMMERS = {"drummer1", "drummer3", "drummer5", "drummer9"}


def load(path,td=False):
    m=mido.MidiFile(path); tpb=m.ticks_per_beat
    ev=[]
    for t in m.tracks:
        k=0
        for x in t:
            k+=x.time; ev.append((k,x))
    ev.sort(key=lambda e:e[0])
    tempos=[(k,x.tempo) for k,x in ev if x.type=='set_tempo'] or [(0,500000)]
    sigs=[(k,x.numerator,x.denominator) for k,x in ev if x.type=='time_signature'] or [(0,4,4)]
    if tempos[0][0]>0: tempos=[(0,500000)]+tempos
    # seconds
    ks=[tempos[0][0]]; ss=[0.0]
    for (a,ta),(b,tb) in zip(tempos,tempos[1:]): ks.append(b); ss.append(ss[-1]+(b-a)*ta/1e6/tpb)
    def sec(k):
        i=np.searchsorted(ks,k,side='right')-1; i=max(i,0)
        return ss[i]+(k-ks[i])*tempos[i][1]/1e6/tpb
    prog={}
    notes=[]
    for k,x in ev:
        if x.type=='program_change': prog[x.channel]=x.program
        if x.type=='note_on' and x.velocity>0:
            d=x.channel==9; p=x.note
            if d: p=TD.get(p,p) if td else GM.get(p,p)
            notes.append((k,p,x.velocity,int(d),prog.get(x.channel,0)))
    return tpb,tempos,sigs,notes,sec

rng=np.random.default_rng(5)
BINS=24
KEYS={36:0,38:1,37:1,39:1,42:3,44:4,51:5,53:5,56:5,46:6,49:7,52:7,55:7,50:8,47:8,45:8,41:8,54:9,70:9}
G=12
def half(s): return int(hashlib.md5(s.encode()).hexdigest(),16)%2
def groups(notes):
    """notes (x,pitch,vel,drum,prog) -> group ids"""
    sn=[v for _,p,v,d,_ in notes if d and p==38]
    thr=0.55*np.percentile(sn,80) if sn else 0
    out=[]
    for _,p,v,d,_ in notes:
        if d:
            g=KEYS.get(p,9)
            if p==38 and v<thr: g=2
        else: g=10 if p<=52 else 11
        out.append(g)
    return np.array(out,int)
def bars_of(notes,tpb,beat_ticks,beats_per_bar,g,cap=16):
    k=np.array([n[0] for n in notes],float); pos=k/beat_ticks
    L=beats_per_bar*BINS
    b=np.floor((pos+0.5/12)/beats_per_bar).astype(int)
    bins=np.round((pos-b*beats_per_bar)*BINS).astype(int)%L
    res={}
    for bi,bn,gi in zip(b,bins,g):
        if bi<0: continue
        res.setdefault(bi,np.zeros((G,L),np.float32))[gi,bn]+=1
    ks=list(res)
    if len(ks)>cap: ks=[ks[i] for i in rng.choice(len(ks),cap,False)]
    return [np.minimum(res[i],1) for i in ks]
def em(X,K,iters=40,floor=2e-3):
    X=np.stack(X); N,g,L=X.shape
    # smooth bars along time, circular
    kern=np.exp(-.5*(np.arange(-3,4)/0.9)**2); kern/=kern.sum()
    def blur(a): return sum(k*np.roll(a,s,-1) for k,s in zip(kern,range(-3,4)))
    Xf=X.reshape(N,-1)
    # k-means++ on blurred
    B=blur(X).reshape(N,-1); best=None
    for trial in range(3):
        cen=[B[rng.integers(N)]]
        for _ in range(K-1):
            d=np.min([((B-c)**2).sum(1) for c in cen],0); cen.append(B[rng.choice(N,p=d/d.sum())])
        lam=np.stack(cen).reshape(K,g,L)*.8+blur(X.mean(0))*.2+floor
        pi=np.ones(K)/K
        for it in range(iters):
            lf=lam.reshape(K,-1); ll=Xf@np.log(lf).T-lf.sum(1)+np.log(pi)
            m=ll.max(1,keepdims=True); r=np.exp(ll-m); tot=(np.log(r.sum(1))+m[:,0]).sum(); r/=r.sum(1,keepdims=True)
            pi=(r.sum(0)+1)/(N+K)
            lam=blur(((r.T@Xf).reshape(K,g,L)+2*X.mean(0))/(r.sum(0)+2)[:,None,None])+floor
        if best is None or tot>best[0]: best=(tot,pi,lam)
    return best

def songs(coll):
    for f in sorted(glob.glob(coll+'/**/*.mid',recursive=True)):
        try: tpb,tempos,sigs,notes,sec=load(f)
        except Exception: continue
        if len(notes)<30: continue
        yield f,tpb,tempos,sigs,notes,sec


def stored(rates):
    return np.clip(np.round((np.log(rates) - np.log(1e-3)) * 32), 0, 255).astype(np.uint8)


def main(folder, out):
    os.chdir(folder)
    drums, pitched = [], {(4, 4): [], (3, 4): [], (6, 8): []}
    for row in csv.DictReader(open("groove/info.csv")):
        path = "groove/" + row["midi_filename"]
        if row["drummer"] not in DRUMMERS or row["time_signature"] != "4-4" or not os.path.exists(path):
            continue
        ticks, _, _, notes, _ = load(path, True)
        if notes:
            drums += bars_of(notes, ticks, ticks, 4, groups(notes), 10 if row["beat_type"] == "beat" else 2)
    for collection in ("freedoom", "mutopia", "openscore_lieder"):
        for path, ticks, _, signatures, notes, _ in songs(collection):
            meters = {(a, b) for _, a, b in signatures}
            if len(meters) != 1 or half(path) == 1:
                continue
            meter, g = meters.pop(), groups(notes)
            if meter in ((4, 4), (2, 2)):
                pitched[4, 4] += bars_of(notes, ticks, ticks, 4, g, 4)
            elif meter == (3, 4):
                pitched[3, 4] += bars_of(notes, ticks, ticks, 3, g, 8)
            elif meter == (6, 8):
                pitched[6, 8] += bars_of(notes, ticks, ticks * 1.5, 2, g, 8)
    packed = bytearray()
    for bars, count, rows in ((drums, 12, slice(0, 10)), *((pitched[m], 4, slice(10, 12)) for m in pitched)):
        bars = [bar[rows] for bar in bars]
        if len(bars) > 5000:
            bars = [bars[i] for i in rng.choice(len(bars), 5000, False)]
        _, share, rates = em(bars, count)
        order = np.argsort(-share)
        packed += stored(np.maximum(share[order], 1e-3)).tobytes()
        packed += stored(rates[order].transpose(1, 2, 0)).tobytes()
    open(out, "wb").write(packed)


if __name__ == "__main__":
    main(sys.argv[1], os.path.abspath(sys.argv[2]))
