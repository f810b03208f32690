/**
 * What runs in an install cell for a package of Python's, as text for `/bin/sh`. It makes a virtual environment without
 * anything of the machine's but the interpreter, lets pip fill it, and compiles what pip left, so that servers start
 * quickly from a folder that they cannot write to. Nothing of the package is executed unless pip has to build it.
 */
import { pinnedPip } from './python-tools.ts';

/** Exit code when there is no pip to be had. */
export const NO_PIP = 71;
/** Begins what the script itself says. */
export const OWN_LINE = 'sallyport: ';

/** In the folder that is filled: what only the installation needs. */
export const workFiles = {
  report: '.report.json',
  requirements: '.requirements.txt',
  folder: '.work',
} as const;

/** Python: finds pip's wheel in the index, fetches it, and keeps it if it is the one that is named in the code. */
const FETCH_PIP = `
import base64, hashlib, html, os, re, sys, urllib.parse, urllib.request
index, into, user = sys.argv[1:]
host = urllib.parse.urlsplit(index).netloc
def get(url):
    headers = {"Accept": "application/vnd.pypi.simple.v1+html, text/html;q=0.5"}
    if user and urllib.parse.urlsplit(url).netloc == host:
        pair = user + ":" + os.environ["SALLYPORT_INDEX_LOGIN"]
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60)
try:
    page = get(index + "pip/")
    base, text = page.geturl(), page.read().decode()
    links = [urllib.parse.urljoin(base, html.unescape(link)) for link in re.findall(r'href="([^"]+)"', text)]
    link = next(link for link in links if urllib.parse.urlsplit(link).path.endswith("/${pinnedPip.file}"))
    wheel = get(link).read()
except Exception as problem:
    sys.exit("${OWN_LINE}pip could not be fetched: %r" % problem)
if hashlib.sha256(wheel).hexdigest() != "${pinnedPip.sha256}":
    sys.exit("${OWN_LINE}what the index gives as ${pinnedPip.file} is something else")
with open(into, "wb") as file: file.write(wheel)
`;

/**
 * Python: takes away pip's marks of which packages were asked for by name, which differ between a tree and the one that is
 * made again from its lockfile; then compiles, so that files are valid whatever the time of their source is. Equal archives
 * thus give equal trees.
 */
const FINISH = `
import compileall, glob, os, py_compile
for mark in glob.glob("/package/venv/lib/python3.*/site-packages/*.dist-info/REQUESTED"):
    os.remove(mark)
    folder = os.path.dirname(mark)
    record = os.path.join(folder, "RECORD")
    with open(record, newline="") as file: lines = file.readlines()
    line = os.path.basename(folder) + "/REQUESTED,"
    with open(record, "w", newline="") as file: file.writelines(one for one in lines if not one.startswith(line))
compileall.compile_dir("/package/venv/lib", quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
`;

/** Like `python -m venv`, which some systems leave out. `lib64` is where some of them look. */
const MAKE_ENVIRONMENT = `
mkdir -p venv/bin "venv/lib/python$version/site-packages" ${workFiles.folder}
ln -s lib venv/lib64
ln -s "$python" venv/bin/python
ln -s python venv/bin/python3
ln -s python "venv/bin/python$version"
printf 'home = %s\\ninclude-system-site-packages = false\\nversion = %s\\n' "\${python%/*}" "$version" >venv/pyvenv.cfg
`;

/** pip looks for a login in `.netrc`. What lies there is the placeholder. */
const LOG_IN = `
if [ -n "$user" ]; then
  host=\${index#*://} host=\${host%%[:/]*}
  printf 'machine %s login %s password %s\\n' "$host" "$user" "$SALLYPORT_INDEX_LOGIN" >"$HOME/.netrc"
fi
`;

/** Runs pip alone. Arguments: interpreter, pip's wheel, the index, who asks it or nothing, then pip's own. */
export const PIP_SCRIPT = `
set -e
python=$1 pip=$2 index=$3 user=$4
shift 4
${LOG_IN}
exec "$python" -I "$pip/pip" "$@"
`;

/**
 * Arguments: interpreter, its version, pip's wheel or nothing, the index, who asks it or nothing, two Python programs, then
 * pip's own arguments.
 * `-I` keeps Python from what variables and folders say, `-S` from what packages would run at its start.
 */
export const INSTALL_SCRIPT = `
set -e
python=$1 version=$2 pip=$3 index=$4 user=$5 fetch=$6 finish=$7
shift 7
export TMPDIR=/package/${workFiles.folder}
${MAKE_ENVIRONMENT}
if [ -z "$pip" ]; then
  pip=/package/${workFiles.folder}/${pinnedPip.file}
  "$python" -I -S -c "$fetch" "$index" "$pip" "$user" || exit ${NO_PIP}
fi
${LOG_IN}
venv/bin/python -I "$pip/pip" "$@"
echo '${OWN_LINE}compiling'
"$python" -I -S -c "$finish"
`;

export const installScriptArguments = (
  interpreter: { readonly path: string; readonly version: string },
  pip: string | null,
  index: string,
  user: string,
): readonly string[] => [interpreter.path, interpreter.version, pip ?? '', index, user, FETCH_PIP, FINISH];
