import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

/** A source file: what it imports, of ours by path and by name, and of others; and what it exports. */
export interface Source {
  path: string;
  imports: { path: string; names: string[] }[];
  packages: string[];
  exports: string[];
}

/** All source files under `root`; paths are relative to it. */
export function readSources(root: string): Source[] {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.tsx?$/.test(path));
  const known = new Set(paths);
  return paths.map((path) => read(path, readFileSync(join(root, path), 'utf8'), known));
}

/** What a file's text says; `known` are the files that an import can mean. */
export function read(path: string, text: string, known: ReadonlySet<string>): Source {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: Source = { path, imports: [], packages: [], exports: [] };
  const add = (specifier: string, names: string[]) => {
    const base = normalize(join(dirname(path), specifier)).replaceAll('\\', '/');
    const target = ['.ts', '.tsx'].map((ending) => base + ending).find((each) => known.has(each));
    if (!specifier.startsWith('.')) found.packages.push(specifier);
    else if (target) found.imports.push({ path: target, names });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || (ts.isExportDeclaration(node) && node.moduleSpecifier))
      add((node.moduleSpecifier as ts.StringLiteral).text, namesOf(node));
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add((node.arguments[0] as ts.StringLiteral).text, ['default', '*']);
    if (isExported(node)) found.exports.push(...declared(node));
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function namesOf(node: ts.ImportDeclaration | ts.ExportDeclaration): string[] {
  if (ts.isExportDeclaration(node)) return ['*'];
  const clause = node.importClause;
  const bindings = clause?.namedBindings;
  const named = bindings && ts.isNamedImports(bindings) ? bindings.elements : [];
  return [
    ...(clause?.name ? ['default'] : []),
    ...(bindings && ts.isNamespaceImport(bindings) ? ['*'] : []),
    ...named.map((each) => (each.propertyName ?? each.name).text),
  ];
}

function isExported(node: ts.Node): boolean {
  return (
    ts.canHaveModifiers(node) &&
    (ts.getModifiers(node)?.some((each) => each.kind === ts.SyntaxKind.ExportKeyword) ?? false)
  );
}

function declared(node: ts.Node): string[] {
  if (ts.isVariableStatement(node))
    return node.declarationList.declarations.map((each) => each.name.getText());
  const isDefault =
    ts.canHaveModifiers(node) &&
    ts.getModifiers(node)?.some((each) => each.kind === ts.SyntaxKind.DefaultKeyword);
  const { name } = node as ts.DeclarationStatement;
  return isDefault ? ['default'] : name ? [name.getText()] : [];
}
